// Notes beside numbers, and the copy button of citations. No library.
(() => {
  "use strict";

  // One note is open at most: the one that belongs to `owner`.
  let note = null;
  let owner = null;
  let closing = 0;

  const noteOf = (link) => document.getElementById("tip-" + link.hash.slice(1));
  const linkAt = (target) => {
    const link = target instanceof Element ? target.closest('a[href*="#claim-"]') : null;
    return link && link.closest("article") && noteOf(link) ? link : null;
  };

  function place() {
    const gap = 8;
    const box = owner.getBoundingClientRect();
    const size = note.getBoundingClientRect();
    const room = document.documentElement.clientWidth;
    const left = Math.min(Math.max(gap, box.left), Math.max(gap, room - size.width - gap));
    const fitsBelow = box.bottom + gap + size.height <= window.innerHeight;
    const above = box.top - gap - size.height;
    note.style.left = left + "px";
    note.style.top = (fitsBelow || above < 0 ? box.bottom + gap : above) + "px";
  }

  function open(link) {
    clearTimeout(closing);
    if (owner === link) return;
    close();
    owner = link;
    note = noteOf(link);
    note.hidden = false;
    place();
  }

  function close() {
    clearTimeout(closing);
    if (note) note.hidden = true;
    note = owner = null;
  }

  // Leaves time to move the pointer onto the note, to read or select its text.
  function closeSoon() {
    clearTimeout(closing);
    closing = setTimeout(close, 250);
  }

  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const link = linkAt(event.target);
    if (link) open(link);
    else if (note && note.contains(event.target)) clearTimeout(closing);
    else if (note && document.activeElement !== owner) closeSoon();
  });
  document.addEventListener("focusin", (event) => {
    const link = linkAt(event.target);
    if (link) open(link);
    else close();
  });
  document.addEventListener("focusout", closeSoon);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
  });
  document.addEventListener("scroll", () => note && place(), { passive: true, capture: true });
  window.addEventListener("resize", () => {
    if (note) place();
    reachFormulas();
  });

  // On a touch screen the first tap opens the note, the second follows the link, as the note's last words do.
  let touched = false;
  let openBefore = null;
  document.addEventListener("pointerdown", (event) => {
    touched = event.pointerType === "touch";
    openBefore = owner;
    if (touched && note && !note.contains(event.target) && !linkAt(event.target)) close();
  });
  document.addEventListener("click", (event) => {
    if (owner && note.contains(event.target) && event.target.closest(".num-tip-open")) {
      owner.click();
      return;
    }
    const link = linkAt(event.target);
    if (link && touched && openBefore !== link) {
      event.preventDefault();
      open(link);
    }
  });

  // A drawn formula is hidden from screen readers, so the links in it serve the pointer only;
  // the keyboard has a link of its own after the formula.
  function quietFormulas() {
    document.querySelectorAll("mjx-math a").forEach((link) => link.setAttribute("tabindex", "-1"));
    document
      .querySelectorAll("mjx-assistive-mml [href]")
      .forEach((part) => part.removeAttribute("href"));
    reachFormulas();
  }

  // A formula wider than its place scrolls; the keyboard must be able to scroll it too.
  function reachFormulas() {
    document.querySelectorAll('article mjx-container[display="true"], div.math').forEach((box) => {
      if (box.scrollWidth > box.clientWidth) {
        box.tabIndex = 0;
        box.setAttribute("role", "group");
        box.setAttribute("aria-label", "Formula, scrolls sideways");
      } else {
        ["tabindex", "role", "aria-label"].forEach((name) => box.removeAttribute(name));
      }
    });
  }

  async function copy(button) {
    const entry = button.closest("details").querySelector("pre.bibtex");
    let said = "Copied";
    try {
      await navigator.clipboard.writeText(entry.textContent);
    } catch {
      getSelection().selectAllChildren(entry);
      said = "Selected: press Ctrl+C";
    }
    button.textContent = said;
    setTimeout(() => (button.textContent = "Copy BibTeX"), 2500);
  }

  document.addEventListener("DOMContentLoaded", () => {
    window.MathJax?.startup?.promise?.then(quietFormulas);
    document.querySelectorAll("pre.bibtex").forEach((entry) => {
      // A build that does not know its address cites the one it is read at, if others can read
      // it there too.
      const relative = entry.dataset.url;
      const own = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
      if (/^https?:/.test(relative) || !/^https?:$/.test(location.protocol) || own) return;
      const root = new URL(document.documentElement.dataset.content_root, location.href);
      const { href } = new URL(relative, root);
      entry.textContent = entry.textContent.replace(/\n\}$/, () => `,\n  url = {${href}}\n}`);
    });
    // The theme's arrows in the contents have no name for screen readers.
    document.querySelectorAll("nav details > summary").forEach((arrow) => {
      const entry = arrow.closest("li")?.querySelector("a");
      arrow.setAttribute("aria-label", "Pages under " + (entry ? entry.textContent.trim() : "this"));
    });
    document.querySelectorAll("button.copy-entry").forEach((button) => {
      button.setAttribute("aria-live", "polite");
      button.addEventListener("click", () => copy(button));
    });
  });
})();
