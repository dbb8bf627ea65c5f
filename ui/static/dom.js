// Making elements. Text is always text: nothing that a server said becomes markup.

// element makes <tag> with attributes and children; on<Event> attributes are
// listeners, and children that are no nodes are text.
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false || value === null) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

// patch makes children those of parent and keeps the nodes that are the same still, so
// that what a user points at, has focused or opened is there when the press ends. A
// node is known again by its data-key, or else by its place; its listeners stay those
// of the first, and so depend on nothing that the key does not say.
export function patch(parent, ...children) {
  const before = [...parent.childNodes];
  const keyed = new Map(before.filter((node) => node.dataset?.key).map((node) => [node.dataset.key, node]));
  const after = children.flat().filter((child) => child !== undefined && child !== null && child !== false).map((child, i) => {
    const fresh = child instanceof Node ? child : document.createTextNode(child);
    const known = fresh.dataset?.key ? keyed.get(fresh.dataset.key) : before[i];
    return known && alike(known, fresh) ? update(known, fresh) : fresh;
  });
  for (const node of before) if (!after.includes(node)) node.remove();
  after.forEach((node, i) => {
    if (parent.childNodes[i] !== node) parent.insertBefore(node, parent.childNodes[i] ?? null);
  });
}

const alike = (a, b) => a.nodeName === b.nodeName && a.dataset?.key === b.dataset?.key;

// update makes known what fresh is. Whether details are open is the user's to say.
function update(known, fresh) {
  if (known === fresh) return known;
  if (known.nodeType !== Node.ELEMENT_NODE) {
    if (known.data !== fresh.data) known.data = fresh.data;
    return known;
  }
  for (const { name } of [...known.attributes]) if (!fresh.hasAttribute(name) && name !== "open") known.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (known.getAttribute(name) !== value) known.setAttribute(name, value);
  known.say = fresh.say;
  patch(known, ...fresh.childNodes);
  return known;
}

// moment is a <time> that page.js keeps relative to now.
export function moment(at, say) {
  const node = element("time", { datetime: at, title: new Date(at).toLocaleString() });
  node.say = say;
  node.textContent = say(at);
  return node;
}

// tick says every moment again.
export function tick(root = document) {
  for (const node of root.querySelectorAll("time")) if (node.say) node.textContent = node.say(node.dateTime);
}
