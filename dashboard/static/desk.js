// The desk works without this. With it: theme toggle, answers in place, parts that follow the database.
"use strict";

const root = document.documentElement;

// ---- theme -------------------------------------------------------------------------------------
const toggle = document.getElementById("theme");
toggle.hidden = false;
toggle.addEventListener("click", () => {
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* kept for this page only */ }
});

// ---- the box -----------------------------------------------------------------------------------
const form = document.getElementById("ask");
const answer = document.getElementById("answer");

function say(text, kind) {
  const line = document.createElement("p");
  line.className = kind;
  line.textContent = text;
  answer.replaceChildren(line);
}

form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  answer.setAttribute("aria-busy", "true");
  say(answer.dataset.state === "ready"
    ? "Comparing it with every event…"
    : "Loading the model: the first answer takes some seconds, later ones are quick…", "hint busy");
  try {
    const response = await fetch("/api/explain", {
      method: "POST",
      headers: { "Content-Type": "application/json", "Accept": "text/html" },
      body: JSON.stringify({ text: form.elements.text.value, published: form.elements.published.value }),
    });
    if (response.ok) {
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      answer.replaceChildren(...page.body.childNodes);
      answer.dataset.state = "ready";
    } else {
      const told = await response.json().catch(() => ({}));
      say(told.error || `The desk answered ${response.status}.`, "warn");
    }
  } catch {
    say("The desk does not answer: is it still running?", "warn");
  } finally {
    button.disabled = false;
    answer.removeAttribute("aria-busy");
  }
});
form?.elements.text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
});

// ---- following the database ----------------------------------------------------------------------
const refresh = Number(document.body.dataset.refreshMs);
const live = document.getElementById("live");
const parts = document.querySelectorAll("[data-part]");
let tag = document.body.dataset.tag;
let failures = 0;

const keyOf = (node) => (node.nodeType === 1 ? node.dataset.key : undefined);

// Make `here` like `there`, keeping every node that stays: open details, focus, scroll, selection.
function become(here, there) {
  if (here.nodeType === 3) {
    if (here.data !== there.data) here.data = there.data;
    return;
  }
  if (here.nodeType !== 1) return;
  for (const { name, value } of there.attributes) {
    if (name !== "open" && here.getAttribute(name) !== value) here.setAttribute(name, value);
  }
  for (const { name } of [...here.attributes]) {
    if (name !== "open" && !there.hasAttribute(name)) here.removeAttribute(name);
  }
  const keyed = new Map();
  for (const child of here.children) if (keyOf(child)) keyed.set(keyOf(child), child);
  let spot = here.firstChild;
  for (const wanted of [...there.childNodes]) {
    const key = keyOf(wanted);
    const known = key ? keyed.get(key) : undefined;
    if (known) {
      keyed.delete(key);
      if (known === spot) spot = spot.nextSibling;
      else here.insertBefore(known, spot);
      become(known, wanted);
    } else if (!key && spot && !keyOf(spot) && spot.nodeName === wanted.nodeName) {
      become(spot, wanted);
      spot = spot.nextSibling;
    } else {
      const fresh = document.importNode(wanted, true);
      if (key) fresh.classList.add("fresh");
      here.insertBefore(fresh, spot);
    }
  }
  while (spot) {
    const next = spot.nextSibling;
    spot.remove();
    spot = next;
  }
}

async function look() {
  const response = await fetch(`/api/changes?since=${encodeURIComponent(tag)}`);
  if (!response.ok) throw new Error(String(response.status));
  const told = await response.json();
  if (answer && told.explain) answer.dataset.state = told.explain;
  if (!told.changed) return;
  const page = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!page.ok) throw new Error(String(page.status));
  const wanted = new DOMParser().parseFromString(await page.text(), "text/html");
  for (const part of parts) {
    const there = wanted.querySelector(`[data-part="${part.dataset.part}"]`);
    if (there) become(part, there);
  }
  tag = wanted.body.dataset.tag;
}

async function follow() {
  const began = performance.now();
  if (!document.hidden) {
    try {
      await look();
      failures = 0;
    } catch {
      failures += 1;
    }
    live.classList.toggle("lost", failures > 0);
    const text = failures ? "Not answering, trying again" : "Live";
    if (live.textContent !== text) live.textContent = text;
  }
  // Doubling from the refresh time to half a minute while the desk is away.
  const pause = Math.min(refresh * 2 ** failures, Math.max(refresh, 30000));
  // A large database may take a second for a page: then look less often than it works.
  setTimeout(follow, Math.max(pause, 4 * (performance.now() - began)));
}

if (refresh && parts.length) {
  live.hidden = false;
  setTimeout(follow, refresh);
}
