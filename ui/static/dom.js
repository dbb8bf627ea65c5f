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

// moment is a <time> that page.js keeps relative to now.
export function moment(at, say) {
  const node = element("time", { datetime: at, title: new Date(at).toLocaleString() });
  node.say = say;
  node.textContent = say(at);
  return node;
}

// tick says every moment anew.
export function tick(root = document) {
  for (const node of root.querySelectorAll("time")) if (node.say) node.textContent = node.say(node.dateTime);
}
