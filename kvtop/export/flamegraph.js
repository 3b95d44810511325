"use strict";
// Draws the flamegraph from the profile in <metadata>: zoom, search, callers, light and dark.
// All text goes in as text nodes; nothing is fetched.
(() => {
  const NS = "http://www.w3.org/2000/svg";
  const ROW = 18, PAD = 12, CHAR = 7.23, MIN_WIDTH = 0.4, BUTTON = 24;
  const KEYS = "keys: / search  ·  arrows, enter, esc: walk, zoom, back  ·  0 reset  ·  c copy name  ·  "
    + "i invert  ·  r callers  ·  t theme";
  const DIFF_KEYS = "  ·  w widths of before or after  ·  p shares or rates";
  const VIEWS = ["icicle", "callers", "glue", "old", "rates"];
  const KINDS = ["Python", "native", "kernel", "interpreter glue", "unknown", ""];
  const GLUE = 3, GROUP = 5;
  const svg = document.documentElement.localName === "svg"
    ? document.documentElement : document.querySelector("svg.kvtop");
  const whole = svg === document.documentElement;
  const profile = JSON.parse(svg.querySelector("metadata").textContent);
  const meta = profile.meta;
  const view = profile.view ?? {};
  const diff = profile.diff ?? null;
  const opened = { icicle: !!view.inverted, callers: !!view.callers, glue: !!view.glue,
    old: false, rates: !!diff?.rates };
  const state = {
    ...opened, theme: "", zoom: 0, selected: -1, pattern: "", hover: -1,
  };

  // ---- the profile ----
  const stacks = readStacks(profile);
  const hasGlue = profile.frames.some((f) => f[2] === GLUE);
  let tree = [];
  let search = { hits: null, weight: 0, bad: false };

  function readStacks({ depth, frame, self, before = [] }) {
    const found = [], path = [];
    for (let i = 0; i < depth.length; i++) {
      path.length = depth[i];
      if (depth[i]) path[depth[i] - 1] = frame[i];
      if (self[i] || before[i]) found.push([path.slice(), self[i], before[i] ?? 0]);
    }
    return found;
  }

  // Frames are numbered in name order, so sorting siblings by number sorts them by name.
  function buildTree() {
    const root = { frame: profile.frames.length - 1, parent: null, depth: 0, self: 0, total: 0,
      selfWas: 0, was: 0, below: null, children: [] };
    const nodes = [root];
    for (const [stack, weight, before] of stacks) {
      let path = state.glue ? stack : stack.filter((f) => profile.frames[f][2] !== GLUE);
      if (state.callers) {
        // What stacks are grouped by stays at the root.
        const groups = path.findIndex((f) => profile.frames[f][2] !== GROUP);
        const cut = groups < 0 ? path.length : groups;
        path = [...path.slice(0, cut), ...path.slice(cut).reverse()];
      }
      let node = root;
      node.total += weight;
      node.was += before;
      for (const f of path) {
        node.below ??= new Map();
        let child = node.below.get(f);
        if (!child) {
          child = { frame: f, parent: node, depth: node.depth + 1, self: 0, total: 0,
            selfWas: 0, was: 0, below: null, children: [] };
          node.below.set(f, child);
          nodes.push(child);
        }
        node = child;
        node.total += weight;
        node.was += before;
      }
      node.self += weight;
      node.selfWas += before;
    }
    nodes.forEach((node, id) => {
      node.id = id;
      if (node.below) node.children = [...node.below.values()].sort((a, b) => a.frame - b.frame);
      node.below = null;
    });
    return nodes;
  }

  // What boxes are as wide as: in a diff the weights after, or those before.
  const size = (node) => (state.old ? node.was : node.total);

  function pathOf(node) {
    const path = [];
    for (; node; node = node.parent) path.unshift(node);
    return path;
  }

  function find(frames) {
    let node = tree[0];
    for (const f of frames) {
      const child = node.children.find((c) => c.frame === f);
      if (!child) break;
      node = child;
    }
    return node;
  }

  function runSearch() {
    search = { hits: null, weight: 0, bad: false };
    if (!state.pattern) return;
    let pattern;
    try {
      pattern = new RegExp(state.pattern, /[A-Z]/.test(state.pattern) ? "" : "i");
    } catch {
      search.bad = true;
      return;
    }
    const match = profile.frames.map((f) => pattern.test(f[0]));
    match[profile.frames.length - 1] = false;
    const inside = new Uint8Array(tree.length);
    search.hits = new Uint8Array(tree.length);
    for (const node of tree) {
      const within = node.parent ? inside[node.parent.id] : 0;
      const hit = match[node.frame];
      if (hit) {
        search.hits[node.id] = 1;
        if (!within) search.weight += size(node);
      }
      inside[node.id] = within || hit ? 1 : 0;
    }
  }

  // ---- figures and names ----
  const number = (n) => n.toLocaleString("en-US");
  const percent = (part, all) => (all ? (100 * part / all).toFixed(2) : "0.00") + " %";
  const weight = (n) =>
    `${number(n)} ${n === 1 && meta.unit === "samples" ? "sample" : meta.unit}`;

  // ---- what changed (kvtop/profile/diff.py has the same in Python) ----
  function change(before, after) {
    const { was, total } = tree[0];
    const [oneSize, twoSize] = state.rates ? diff.seconds : [was, total];
    const one = oneSize ? before / oneSize : 0, two = twoSize ? after / twoSize : 0;
    let z = 0;
    if (oneSize && twoSize) {
      const pooled = (before + after) / (oneSize + twoSize);
      const variance = pooled * (state.rates ? 1 : 1 - pooled) * (1 / oneSize + 1 / twoSize);
      if (variance > 0) z = (two - one) / Math.sqrt(variance);
    }
    return { before, after, one, two, z };
  }

  const isChange = ({ one, two, z }) => (diff.band ? Math.abs(z) > diff.band : one !== two);

  function stepClass(node) {
    const c = change(node.was, node.total);
    if (!isChange(c)) return "same";
    const small = Math.min(c.one, c.two), great = Math.max(c.one, c.two);
    const ratio = small > 0 ? great / small : 2;
    return (c.two > c.one ? "more" : "less") + (ratio >= 2 ? 3 : ratio >= 1.25 ? 2 : 1);
  }

  function changeText(before, after) {
    const c = change(before, after);
    const rate = (r) => (state.rates ? r.toPrecision(3) + " /s" : (100 * r).toFixed(2) + " %");
    const delta = c.two - c.one;
    const size = state.rates ? Math.abs(delta).toPrecision(3) + " /s"
      : (100 * Math.abs(delta)).toFixed(2) + " points";
    const parts = [`${rate(c.one)} → ${rate(c.two)}`, (delta < 0 ? "−" : "+") + size];
    if (c.one > 0) parts.push("×" + (c.two / c.one).toPrecision(3));
    else if (c.two > 0) parts.push("new");
    if (diff.band)
      parts.push(isChange(c) ? `z ${c.z < 0 ? "−" : "+"}${Math.abs(c.z).toFixed(1)}` : "may be noise");
    return [parts.join(" · "), `${number(before)} → ${weight(after)}`];
  }

  function place(f) {
    const [, object, , file, line] = profile.frames[f];
    if (file) return line ? `${file}:${line}` : file;
    return object;
  }

  function shorten(symbol, room) {
    if (symbol.length <= room) return symbol;
    if (room < 2) return "";
    let bare = symbol;
    if (!symbol.includes("operator")) {
      bare = symbol.replaceAll("(anonymous namespace)::", "").replace(/::h[0-9a-f]{16}$/, "")
        .replace(/(\.[a-z_]+\.\d+|\.(cold|part|isra|constprop))+$|@@?[\w.]+$/, "");
      for (let cut = ""; (cut = bare.replace(/([\w~])(?:<[^<>]*>|\([^()]*\))/g, "$1")) !== bare;)
        bare = cut;
      bare = bare.replace(/ const$/, "");
    }
    while (bare.length > room) {
      const next = bare.slice(1).search(/::|\.(?!<)/);
      if (next < 0) break;
      const rest = bare.slice(next + 1 + (bare[next + 1] === ":" ? 2 : 1));
      if (!rest) break;
      bare = rest;
    }
    if (bare.length <= room) return bare;
    if (room < 6) return bare.slice(0, room - 1) + "…";
    const left = room >> 1;
    return bare.slice(0, left) + "…" + bare.slice(bare.length - (room - left - 1));
  }

  // ---- drawing ----
  function make(name, attributes, parent, text) {
    const element = document.createElementNS(NS, name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    if (text !== undefined) element.textContent = text;
    if (parent) parent.appendChild(element);
    return element;
  }

  for (const old of svg.querySelectorAll(".static")) old.remove();
  const back = make("rect", { class: "back", width: "100%", height: "100%" }, svg);
  const graph = make("g", { id: "graph" }, svg);
  const foot = make("g", { id: "foot" }, svg);
  const head = make("g", { id: "head" }, svg);
  const headBack = make("rect", { class: "back", x: 0, y: 0 }, head);
  const title = make("text", { id: "title", class: "title", x: PAD, y: 25 }, head, meta.title);
  const details = make("text", { id: "details", class: "details", x: PAD }, head);
  const matched = make("text", { id: "matched", class: "matched" }, head);
  const tools = make("g", { id: "tools" }, head);
  const tip = make("g", { id: "tip", visibility: "hidden" }, svg);
  const tipBack = make("rect", { rx: 5 }, tip);
  const tipText = make("text", {}, tip);

  const holder = make("foreignObject", { x: 0, y: 0, height: BUTTON }, tools);
  const input = document.createElementNS("http://www.w3.org/1999/xhtml", "input");
  input.id = "search";
  input.type = "search";
  input.placeholder = "search (regex)  /";
  input.setAttribute("aria-label", "search frames by regular expression");
  input.spellcheck = false;
  holder.appendChild(input);
  const buttons = [
    button("reset", "reset", "show everything again (0)", reset),
    button("invert", "invert", "root at the other end (i)", () => toggle("icicle")),
    button("callers", "callers", "leaf functions first, callers on them (r)",
      () => toggle("callers")),
  ];
  if (hasGlue) {
    buttons.push(button("glue", "glue", "show the interpreter's own frames (g)",
      () => toggle("glue")));
  }
  if (diff) {
    buttons.push(button("old", "before", "boxes as wide as they were before (w)",
      () => toggle("old")));
    if (diff.seconds) {
      buttons.push(button("rates", "per s", "weights a second instead of shares (p)",
        () => toggle("rates")));
    }
  }
  buttons.push(button("theme", "light", "light or dark page (t)", switchTheme));

  function button(id, label, hint, act) {
    const group = make("g", { id, class: "button", tabindex: 0, role: "button" }, tools);
    const width = Math.ceil(label.length * CHAR) + 18;
    make("title", {}, group, hint);
    make("rect", { width, height: BUTTON, rx: 4 }, group);
    make("text", { x: width / 2, y: 16, "text-anchor": "middle" }, group, label);
    group.addEventListener("click", act);
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        event.stopPropagation();
        act();
      }
    });
    return { group, width };
  }

  let width = 0, height = 0, top = 0, boxes = new Map();

  function plan() {
    // Rows of [node, x0, x1]; ancestors of the zoomed node span everything.
    const zoomed = tree[state.zoom];
    const span = width - 2 * PAD;
    const rows = pathOf(zoomed).map((node) => [[node, 0, span]]);
    let level = rows[rows.length - 1];
    const scale = size(zoomed) ? span / size(zoomed) : 0;
    while (level.length) {
      const next = [];
      for (const [node, left] of level) {
        let x = left;
        for (const child of node.children) {
          const end = x + size(child) * scale;
          if (end - x >= MIN_WIDTH) next.push([child, x, end]);
          x = end;
        }
      }
      if (next.length) rows.push(next);
      level = next;
    }
    return rows;
  }

  function draw() {
    const frame = (whole ? document.documentElement : svg.parentElement).clientWidth || innerWidth;
    width = view.width || Math.max(320, frame);
    const narrow = width < 760;
    const rows = plan();
    const room = rows.length * ROW;
    const { wide: toolsWidth, high: toolsHeight } = layTools();
    tools.setAttribute("transform",
      narrow ? `translate(${PAD} 38)` : `translate(${width - PAD - toolsWidth} 9)`);
    const detailsY = narrow ? 58 + toolsHeight : 50;
    details.setAttribute("y", detailsY);
    matched.setAttribute("x", width - PAD);
    matched.setAttribute("y", narrow ? 25 : detailsY);
    title.textContent = shorten(meta.title,
      Math.floor((narrow ? width - 2 * PAD : width - toolsWidth - 4 * PAD) / 8.6));
    top = detailsY + 14;
    headBack.setAttribute("width", width);
    headBack.setAttribute("height", top - 4);
    const footHeight = drawFoot(top + room + 12);
    height = top + room + 12 + footHeight;
    const full = whole ? Math.max(height, innerHeight) : height;
    svg.setAttribute("width", width);
    svg.setAttribute("height", full);
    svg.setAttribute("viewBox", `0 0 ${width} ${full}`);
    drawBoxes(rows, room);
    hover(-1);
    follow();
  }

  function layTools() {
    const room = width - 2 * PAD;
    const taken = buttons.reduce((sum, { width: wide }) => sum + wide + 6, 0);
    // Where there is no room for all in one row, as on a phone, the field has the first.
    const wraps = taken + 80 > room;
    const field = wraps ? room : Math.min(190, room - taken);
    holder.setAttribute("width", field);
    let x = field + 6, y = 0;
    for (const { group, width: wide } of buttons) {
      if (x + wide > room) {
        x = 0;
        y += BUTTON + 6;
      }
      group.setAttribute("transform", `translate(${x} ${y})`);
      x += wide + 6;
    }
    for (const [id, on] of [["invert", state.icicle], ["callers", state.callers],
      ["glue", state.glue], ["old", state.old], ["rates", state.rates]]) {
      const group = tools.querySelector("#" + id);
      if (!group) continue;
      group.classList.toggle("on", on);
      group.setAttribute("aria-pressed", on);
    }
    tools.querySelector("#reset").classList.toggle("off", !state.zoom && !state.pattern);
    tools.querySelector("#theme text").textContent = isDark() ? "light" : "dark";
    return { wide: x - 6, high: y + BUTTON };
  }

  function drawBoxes(rows, room) {
    const fresh = document.createDocumentFragment();
    boxes = new Map();
    const faded = tree[state.zoom].depth;
    rows.forEach((row, at) => {
      const y = top + (state.icicle ? at * ROW : room - (at + 1) * ROW);
      for (const [node, x0, x1] of row) {
        const [symbol, object, kind, file, , shade] = profile.frames[node.frame];
        const wide = Math.max(x1 - x0 - (x1 - x0 > 3 ? 0.8 : 0), 0.3);
        const classes = ["box", diff ? stepClass(node) : "k" + kind + "s" + shade];
        if (at < faded) classes.push("above");
        if (node.id === state.selected) classes.push("selected");
        if (search.hits) classes.push(search.hits[node.id] ? "hit" : "miss");
        const group = make("g", { class: classes.join(" ") }, fresh);
        group.node = node.id;
        make("rect", { x: (PAD + x0).toFixed(2), y, width: wide.toFixed(2), height: ROW - 1,
          rx: wide > 6 ? 2 : 0 }, group);
        const letters = Math.floor((wide - 6) / CHAR);
        const label = letters < 3 ? "" : shorten(symbol, letters);
        if (label) {
          const text = make("text", { x: (PAD + x0 + 4).toFixed(2), y: y + 12.5 }, group, label);
          if (label === symbol && file && letters >= symbol.length + 2 + object.length)
            make("tspan", { class: "where", dx: 10 }, text, object);
        }
        boxes.set(node.id, group);
      }
    });
    graph.replaceChildren(fresh);
    matched.textContent = search.bad ? "not a regular expression"
      : search.hits ? `matched ${percent(search.weight, size(tree[0]))}` : "";
    matched.classList.toggle("bad", search.bad);
    input.classList.toggle("bad", search.bad);
  }

  function drawFoot(y) {
    foot.replaceChildren();
    const kinds = [...new Set(profile.frames.map((f) => f[2]))].filter((k) => KINDS[k]).sort();
    const colours = diff ? diff.legend
      : kinds.filter((k) => k !== GLUE || state.glue).map((k) => [`k${k}s3`, KINDS[k]]);
    let x = PAD, row = y;
    for (const [fill, words] of colours) {
      const wide = 16 + words.length * 6.65 + 18;
      if (x > PAD && x + wide > width) {
        x = PAD;
        row += 17;
      }
      make("rect", { class: fill, x, y: row + 2, width: 11, height: 11, rx: 2 }, foot);
      make("text", { x: x + 16, y: row + 12, class: "note" }, foot, words);
      x += wide;
    }
    let line = row + 32;
    const letters = Math.max(20, Math.floor((width - 2 * PAD) / 6.65));
    for (const text of [...profile.notes, KEYS + (diff ? DIFF_KEYS : "")]) {
      let rest = text;
      while (rest) {
        let cut = letters;
        // At a gap between two parts, if there is one.
        if (rest.length > letters) cut = rest.lastIndexOf("  ·  ", letters) + 5;
        if (cut < 5) cut = letters;
        make("text", { x: PAD, y: line, class: "note" }, foot,
          rest.slice(0, cut).replace(/  ·  $/, ""));
        rest = rest.slice(cut);
        line += 15;
      }
    }
    return line - y;
  }

  // The head stays in sight while a tall graph scrolls.
  function follow() {
    if (whole) head.setAttribute("transform", `translate(0 ${Math.max(0, scrollY)})`);
  }

  // ---- what the pointer and the keys do ----
  function describe(node) {
    const zoomed = tree[state.zoom];
    const all = tree[0].total;
    const name = profile.frames[node.frame][0];
    if (diff) {
      const [now, counts] = changeText(node.was, node.total);
      const [own, ownCounts] = changeText(node.selfWas, node.self);
      const self = node.self || node.selfWas ? [`self ${own}`, `self ${ownCounts}`] : ["self 0"];
      return [name, now, counts, ...self,
        [KINDS[profile.frames[node.frame][2]], place(node.frame)].filter(Boolean).join(" · ")];
    }
    const total = [weight(node.total), `${percent(node.total, all)} of all`];
    if (state.zoom && node.depth > zoomed.depth) {
      const above = shorten(profile.frames[zoomed.frame][0], 32);
      total.push(`${percent(node.total, zoomed.total)} of ${above}`);
    }
    const self = [`self ${weight(node.self)}`, `${percent(node.self, all)} of all`];
    if (node.parent && node.parent.parent)
      self.push(`total is ${percent(node.total, node.parent.total)} of its parent's`);
    const code = [KINDS[profile.frames[node.frame][2]], place(node.frame)];
    return [name, ...[total, self, code].map((parts) => parts.filter(Boolean).join(" · "))];
  }

  function hover(id, event) {
    if (state.hover >= 0) boxes.get(state.hover)?.classList.remove("hover");
    state.hover = id;
    const shown = id >= 0 ? id : state.selected >= 0 && boxes.has(state.selected)
      ? state.selected : state.zoom;
    const node = tree[shown];
    if (!shown) {
      // The foot has all of it.
      const note = profile.notes[0], room = Math.floor((width - 2 * PAD) / CHAR);
      details.textContent = note.length > room ? note.slice(0, room - 1) + "…" : note;
      tip.setAttribute("visibility", "hidden");
      return;
    }
    const [name, total] = describe(node);
    const letters = Math.floor((width - 2 * PAD) / CHAR) - (matched.textContent.length + 2);
    const figures = " · " + total;
    details.textContent = shorten(name, Math.max(8, letters - figures.length)) + figures;
    if (id < 0 || !event) {
      tip.setAttribute("visibility", "hidden");
      if (id >= 0) boxes.get(id)?.classList.add("hover");
      return;
    }
    boxes.get(id)?.classList.add("hover");
    showTip(node, event);
  }

  function showTip(node, event) {
    const most = Math.max(20, Math.min(92, Math.floor((width - 40) / CHAR)));
    const [name, ...figures] = describe(node);
    const lines = [];
    for (let at = 0; at < name.length && lines.length < 6; at += most)
      lines.push([name.slice(at, at + most), "name"]);
    for (const text of figures)
      for (let at = 0; at < text.length; at += most) lines.push([text.slice(at, at + most), ""]);
    tipText.replaceChildren();
    lines.forEach(([text, style], at) => {
      make("tspan", { x: 10, y: 19 + at * 17, class: style }, tipText, text);
    });
    const wide = Math.max(...lines.map(([text]) => text.length)) * CHAR + 22;
    const tall = lines.length * 17 + 12;
    tipBack.setAttribute("width", wide);
    tipBack.setAttribute("height", tall);
    const frame = svg.getBoundingClientRect();
    const px = event.clientX - frame.left, py = event.clientY - frame.top;
    let x = Math.min(px + 14, width - wide - 6);
    let y = py + 18;
    const bottom = whole ? scrollY + innerHeight : height;
    if (y + tall > bottom - 4) y = py - tall - 10;
    tip.setAttribute("transform", `translate(${Math.max(4, x)} ${Math.max(4, y)})`);
    tip.setAttribute("visibility", "visible");
  }

  function zoomTo(node) {
    state.zoom = node.id;
    state.selected = node.id || -1;
    draw();
    reveal(node);
    remember(true);
  }

  function reset() {
    state.pattern = input.value = "";
    runSearch();
    zoomTo(tree[0]);
  }

  // ---- light and dark ----
  const systemDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (state.theme ? state.theme === "dark" : systemDark.matches);

  function setTheme(theme) {
    state.theme = theme;
    const media = { dark: "all", light: "not all" }[theme] ?? systemDark.media;
    for (const rule of svg.querySelector("style").sheet.cssRules)
      if (rule.media) rule.media.mediaText = media;
  }

  function switchTheme() {
    setTheme(isDark() ? "light" : "dark");
    draw();
    remember(false);
  }

  // ---- the address: what is zoomed, searched and turned, for links and the back button ----
  function address() {
    const parts = new URLSearchParams();
    if (state.zoom) parts.set("zoom", state.zoom);
    if (state.pattern) parts.set("search", state.pattern);
    const turned = VIEWS.filter((what) => state[what]).join(",");
    if (VIEWS.some((what) => state[what] !== opened[what])) parts.set("view", turned || "plain");
    if (state.theme) parts.set("theme", state.theme);
    return parts.toString();
  }

  function remember(step) {
    const now = address();
    if (!whole || now === location.hash.slice(1)) return;
    const url = now ? "#" + now : location.pathname + location.search;
    try {
      history[step ? "pushState" : "replaceState"](null, "", url);
    } catch { /* some viewers have no history */ }
  }

  function restore() {
    const parts = new URLSearchParams(whole ? location.hash.slice(1) : "");
    const turned = parts.get("view")?.split(",");
    for (const what of VIEWS) state[what] = turned ? turned.includes(what) : opened[what];
    if (!diff?.seconds) state.rates = false;
    if (!diff) state.old = false;
    const theme = parts.get("theme");
    setTheme(theme === "dark" || theme === "light" ? theme : "");
    state.pattern = input.value = parts.get("search") ?? "";
    tree = buildTree();
    const zoom = Number(parts.get("zoom"));
    state.zoom = tree[zoom] ? zoom : 0;
    state.selected = state.zoom || -1;
    runSearch();
    draw();
    reveal(tree[state.zoom]);
  }

  function toggle(what) {
    const frames = pathOf(tree[state.zoom]).slice(1).map((n) => n.frame);
    state[what] = !state[what];
    if (what === "callers" || what === "glue") {
      tree = buildTree();
      // Callers turn every path round: what was zoomed has no counterpart there.
      state.zoom = what === "callers" ? 0 : find(frames).id;
      state.selected = -1;
    }
    runSearch();
    draw();
    reveal(tree[state.zoom]);
    remember(false);
  }

  function reveal(node) {
    if (!whole || !boxes.has(node.id)) return;
    const y = Number(boxes.get(node.id).firstChild.getAttribute("y"));
    if (y < scrollY + top || y + ROW > scrollY + innerHeight)
      scrollTo(0, Math.max(0, state.icicle ? y - top : y + 4 * ROW - innerHeight));
  }

  function select(node) {
    if (!node) return;
    boxes.get(state.selected)?.classList.remove("selected");
    state.selected = node.id;
    boxes.get(node.id)?.classList.add("selected");
    hover(-1);
    reveal(node);
  }

  function move(key) {
    const node = tree[state.selected >= 0 ? state.selected : state.zoom];
    const up = state.icicle ? "ArrowDown" : "ArrowUp";
    const visible = (n) => boxes.has(n.id);
    if (key === up) {
      select(node.children.filter(visible).sort((a, b) => size(b) - size(a))[0]);
    } else if (key === "ArrowUp" || key === "ArrowDown") {
      select(node.parent);
    } else if (node.parent) {
      const row = node.parent.children.filter(visible);
      select(row[row.indexOf(node) + (key === "ArrowRight" ? 1 : -1)]);
    }
  }

  function copyName() {
    const id = state.hover >= 0 ? state.hover : state.selected;
    if (id < 0) return;
    const name = profile.frames[tree[id].frame][0];
    navigator.clipboard?.writeText(name).then(
      () => { details.textContent = "copied: " + shorten(name, 80); }, () => {});
  }

  function setSearch(text) {
    state.pattern = text;
    runSearch();
    draw();
    remember(false);
  }

  const boxOf = (event) => event.target.closest?.("g.box")?.node ?? -1;
  graph.addEventListener("mousemove", (event) => hover(boxOf(event), event));
  graph.addEventListener("mouseleave", () => hover(-1));
  graph.addEventListener("click", (event) => {
    const id = boxOf(event);
    if (id >= 0) zoomTo(tree[id]);
  });
  input.addEventListener("input", () => setSearch(input.value));
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") {
      input.value = "";
      setSearch("");
      input.blur();
    } else if (event.key === "Enter") {
      input.blur();
    }
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if (event.key === "f" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        input.focus();
      }
      return;
    }
    const acts = {
      "/": () => input.focus(),
      0: reset,
      t: switchTheme,
      i: () => toggle("icicle"),
      r: () => toggle("callers"),
      g: () => hasGlue && toggle("glue"),
      w: () => diff && toggle("old"),
      p: () => diff?.seconds && toggle("rates"),
      c: copyName,
      Enter: () => state.selected >= 0 && zoomTo(tree[state.selected]),
      Escape: () => {
        if (state.pattern) {
          input.value = "";
          setSearch("");
        } else if (state.zoom) {
          zoomTo(tree[state.zoom].parent);
        }
      },
    };
    for (const arrow of ["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"])
      acts[arrow] = () => move(arrow);
    if (acts[event.key]) {
      event.preventDefault();
      acts[event.key]();
    }
  });
  let pending = 0;
  addEventListener("resize", () => {
    cancelAnimationFrame(pending);
    pending = requestAnimationFrame(draw);
  });
  addEventListener("scroll", follow, { passive: true });
  systemDark.addEventListener("change", draw);
  addEventListener("popstate", restore);

  restore();
  // The root is at the bottom: begin there, as the graph is read from there.
  if (whole && !state.zoom && !state.icicle && height > innerHeight) scrollTo(0, height);
})();
