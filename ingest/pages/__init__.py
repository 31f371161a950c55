"""The pages of articles: asked where a feed brings only the beginning, and the operator wants more.

`fill` decides what is asked and how politely; `robots` whether the publisher allows it; `extract`
and `notices` read a page in a process of their own (`worker`); `page` is what they hand back.
"""
