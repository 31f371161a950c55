// Runs before the first paint, so that a remembered theme does not flash.
"use strict";
(() => {
  const root = document.documentElement;
  let kept = null;
  try { kept = localStorage.getItem("theme"); } catch { /* storage is off: follow the system */ }
  if (!root.dataset.theme && (kept === "light" || kept === "dark")) root.dataset.theme = kept;
})();
