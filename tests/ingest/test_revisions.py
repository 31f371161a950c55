"""What a poll finds changed: a revision, another article, or nothing new."""

from __future__ import annotations

from tests.ingest.world import World, add_feed, item, rss, running


def test_a_text_that_returns_to_an_earlier_wording_is_a_third_revision(world: World) -> None:
    async def scenario() -> None:
        add_feed(world, "/a")
        for text in ("The ship sank.", "The ship was towed.", "The ship sank."):
            world.site.pages["/a"] = rss(item(1, text=text))
            await world.polled()

    running(scenario, world)
    found = world.articles()
    assert len({a.id for a in found}) == 1
    assert len({a.revision for a in found}) == 3


def test_an_item_that_vanishes_and_returns_is_nothing_new(world: World) -> None:
    async def scenario() -> None:
        add_feed(world, "/a")
        for items in ([item(1), item(2)], [item(2)], [item(1), item(2)]):
            world.site.pages["/a"] = rss(*items)
            await world.polled()

    running(scenario, world)
    assert len(world.articles()) == 2


def test_new_dates_alone_are_nothing_new(world: World) -> None:
    async def scenario() -> None:
        add_feed(world, "/a")
        for hour in (10, 11):
            world.site.pages["/a"] = rss(item(1, date=f"Mon, 20 Sep 2021 {hour}:00:00 GMT"))
            await world.polled()

    running(scenario, world)
    assert len(world.articles()) == 1


def test_the_fullest_text_wins_between_feeds_of_an_outlet(world: World) -> None:
    short, full = "A ship sank.", "A ship sank off Crete. All were saved by fishermen at dawn."
    world.site.pages |= {
        "/short": rss(item(1, text=short)),
        "/full": rss(item(1, text=full, guid="another-guid")),
    }

    async def scenario() -> None:
        add_feed(world, "/short")
        await world.polled()
        add_feed(world, "/full")
        await world.polled()
        # The shorter one is edited, but its wording no longer stands; then the standing one is.
        world.site.pages["/short"] = rss(item(1, text="A ship has sunk."))
        await world.polled()
        world.site.pages["/full"] = rss(item(1, text="A boat sank."))
        await world.polled()

    running(scenario, world)
    assert [a.text for a in world.articles()] == [short, full, "A boat sank."]
    assert len({a.id for a in world.articles()}) == 1


def test_an_aggregator_does_not_replace_the_publishers_words(world: World) -> None:
    world.site.pages |= {
        "/own": rss(item(1, text="A ship sank.")),
        "/other": rss(item(1, text="A ship sank, says somebody else at far greater length.")),
    }

    async def scenario() -> None:
        add_feed(world, "/own", "news.example")
        await world.polled()
        add_feed(world, "/other", "aggregator.example")
        reports = await world.polled()
        assert {"duplicate: another outlet's article": 1} in [r.reasons for r in reports]

    running(scenario, world)
    assert len(world.articles()) == 1


def test_an_edited_headline_with_a_new_address_is_the_same_article(world: World) -> None:
    async def scenario() -> None:
        add_feed(world, "/a")
        world.site.pages["/a"] = rss(
            item(1, title="Ship sinks", link="https://news.example/ship-sinks")
        )
        await world.polled()
        world.site.pages["/a"] = rss(
            item(1, title="Ship towed", link="https://news.example/ship-towed")
        )
        await world.polled()

    running(scenario, world)
    first, second = world.articles()
    assert first.id == second.id
    assert first.revision != second.revision


def test_a_guid_reused_for_another_story_is_a_new_article(world: World) -> None:
    async def scenario() -> None:
        add_feed(world, "/a")
        world.site.pages["/a"] = rss(
            item(
                1, title="Ferry sinks off Crete", text="Forty saved.", link="https://news.example/f"
            )
        )
        await world.polled()
        world.site.pages["/a"] = rss(
            item(
                1,
                title="Central bank raises rates",
                text="By half a point.",
                link="https://news.example/r",
            )
        )
        await world.polled()

    running(scenario, world)
    assert len({a.id for a in world.articles()}) == 2
