// Run inside a copy of a report by tools/test_report: measures what a reader would stumble over and tells the page around it.
(() => {
  const expected = EXPECTED;   // {width, dark, empty}: filled in by tools/test_report
  const faults = [];
  const fault = (what, text) => faults.push(what + ": " + (text || "").trim().slice(0, 60));
  const page = document.documentElement;
  if (innerWidth !== expected.width) fault("the window is " + innerWidth + " wide", "");
  if (matchMedia("(prefers-color-scheme: dark)").matches !== expected.dark) fault("wrong colour scheme", "");
  const paper = getComputedStyle(document.body).backgroundColor.match(/\d+/g).map(Number);
  if (paper[0] < 128 !== expected.dark) fault("the paper is " + paper, "");

  // Nothing but a box of its own may scroll sideways.
  if (page.scrollWidth > innerWidth) fault("the page is " + page.scrollWidth + " wide", "");
  for (const e of document.querySelectorAll("main *")) {
    if (e.closest(".scroll") && !e.classList.contains("scroll")) continue;
    if (e.closest("svg") || e.closest("details:not([open])")) continue;
    const box = e.getBoundingClientRect();
    if (box.width && (box.right > innerWidth + 1 || box.left < -1)) fault("outside of the page", e.tagName + " " + e.textContent);
  }

  // Drawings: something is drawn, texts stay inside, can be read and do not lie on each other.
  let empty = 0, plots = 0;
  for (const svg of document.querySelectorAll("svg.plot")) {
    const name = svg.querySelector("title").textContent, frame = svg.getBoundingClientRect();
    ++plots;
    if (frame.width < 250 || frame.height < 40) fault("a small plot", name);
    if (![...svg.querySelectorAll(".l,.m,.h,.o,.u,.f,.r")].some(e => e.getBoundingClientRect().width + e.getBoundingClientRect().height > 0)) ++empty;
    const texts = [...svg.querySelectorAll("text")].filter(t => t.textContent);
    for (const t of texts) {
      const box = t.getBoundingClientRect();
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1) fault("a text is cut off in " + name, t.textContent);
      if (parseFloat(getComputedStyle(t).fontSize) * frame.width / svg.viewBox.baseVal.width < 8) fault("a text is small in " + name, t.textContent);
    }
    const level = texts.filter(t => !t.closest("[transform*=rotate]")).map(t => [t, t.getBoundingClientRect()]);
    level.forEach(([a, p], i) => level.slice(0, i).forEach(([b, q]) => {
      const across = Math.min(p.right, q.right) - Math.max(p.left, q.left), down = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
      if (across > 1 && down > .35 * Math.min(p.height, q.height)) fault("texts lie on each other in " + name, a.textContent + " / " + b.textContent);
    }));
  }
  if (empty !== expected.empty) fault(empty + " empty plots, expected " + expected.empty, "");
  for (const image of document.images) if (!image.complete || !image.naturalWidth) fault("a picture is broken", image.alt);

  // A letter that no font has is drawn like one that cannot exist.
  const canvas = document.createElement("canvas"), pen = canvas.getContext("2d", {willReadFrequently: true});
  canvas.width = canvas.height = 48;
  const drawn = letter => {
    pen.clearRect(0, 0, 48, 48);
    pen.font = "32px " + getComputedStyle(document.body).fontFamily;
    pen.fillText(letter, 4, 36);
    return pen.getImageData(0, 0, 48, 48).data.join();
  };
  const missing = new Set([drawn("\u{10FFFE}"), drawn("\u0378"), drawn("\uFFFF")]);
  for (const letter of new Set(document.body.innerText)) if (letter > "~" && letter.trim() && missing.has(drawn(letter))) fault("a letter is missing", "U+" + letter.codePointAt(0).toString(16));

  parent.postMessage("\nRESULT " + (faults.length ? "FAIL" : "PASS") + " height " + Math.ceil(page.scrollHeight) + " plots " + plots + "\n" + faults.map(f => "FAULT " + f.replace(/\s+/g, " ") + "\n").join("") + "END\n", "*");
})();
