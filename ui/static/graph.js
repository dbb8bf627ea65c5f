// The state graph: the generated picture, with the current state, the path taken
// and the ways out of the state lit.

const namespace = "http://www.w3.org/2000/svg";
const pictures = new Map();

// picture fetches the picture of a region once, and returns a copy to be lit.
export async function picture(region) {
  if (!pictures.has(region)) {
    pictures.set(region, fetch(`/ui/pictures/${region}.svg`).then(async (response) => {
      const svg = new DOMParser().parseFromString(await response.text(), "image/svg+xml").documentElement;
      for (const title of svg.querySelectorAll("g.graph > title, g.edge > title, g.node > title")) title.remove();
      for (const link of svg.querySelectorAll("a")) {
        const title = document.createElementNS(namespace, "title");
        title.textContent = link.getAttributeNS("http://www.w3.org/1999/xlink", "title");
        const group = document.createElementNS(namespace, "g");
        group.append(title, ...link.childNodes);
        link.replaceWith(group);
      }
      return svg;
    }));
  }
  return document.importNode(await pictures.get(region), true);
}

const find = (svg, id) => svg.querySelector(`[id="${CSS.escape(id)}"]`);

// light shows where a region is, how it came there, and where it can go.
// path are the last moves of the region, oldest first.
export function light(svg, status, path) {
  for (const node of svg.querySelectorAll(".now, .out, .been, .last")) node.classList.remove("now", "out", "been", "last");
  for (const node of svg.querySelectorAll(".drawn")) node.remove();
  const at = (state) => find(svg, `${status.region}.${state}`);
  at(status.state)?.classList.add("now");
  for (const edge of svg.querySelectorAll(".edge")) if (edge.id.startsWith(`${status.region}.${status.state}-`)) edge.classList.add("out");
  for (const [i, move] of path.entries()) {
    const last = i === path.length - 1;
    at(move.from)?.classList.add("been");
    const line = find(svg, `${status.region}.${move.from}-${move.to}`) ?? draw(svg, at(move.from), at(move.to));
    line?.classList.add("been");
    if (last) line?.classList.add("last");
  }
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", `The ${status.region} is in the state ${status.state}`);
}

// draw makes a line that the picture leaves out because many others lead to the
// same state.
function draw(svg, from, to) {
  if (!from || !to || from === to) return undefined;
  const [a, b] = [middle(from), middle(to)];
  const [dx, dy] = [b.x - a.x, b.y - a.y];
  const length = Math.hypot(dx, dy) || 1;
  const bend = Math.min(40, length / 4);
  const control = { x: (a.x + b.x) / 2 - (dy / length) * bend, y: (a.y + b.y) / 2 + (dx / length) * bend };
  const begin = border(a, control), end = border(b, control);
  const group = document.createElementNS(namespace, "g");
  group.setAttribute("class", "edge way drawn");
  const line = document.createElementNS(namespace, "path");
  line.setAttribute("d", `M${begin.x},${begin.y} Q${control.x},${control.y} ${end.x},${end.y}`);
  line.setAttribute("fill", "none");
  const head = document.createElementNS(namespace, "polygon");
  const angle = Math.atan2(end.y - control.y, end.x - control.x);
  const point = (turn, far) => `${end.x - far * Math.cos(angle + turn)},${end.y - far * Math.sin(angle + turn)}`;
  head.setAttribute("points", `${end.x},${end.y} ${point(0.4, 9)} ${point(-0.4, 9)}`);
  group.append(line, head);
  from.parentNode.append(group);
  return group;
}

function middle(node) {
  const box = node.getBBox();
  return { x: box.x + box.width / 2, y: box.y + box.height / 2, w: box.width / 2 + 2, h: box.height / 2 + 2 };
}

// border is where the line from a box's middle to a point leaves the box.
function border(box, to) {
  const [dx, dy] = [to.x - box.x, to.y - box.y];
  const scale = Math.min(1, 1 / Math.max(Math.abs(dx) / box.w, Math.abs(dy) / box.h, 1e-6));
  return { x: box.x + dx * scale, y: box.y + dy * scale };
}
