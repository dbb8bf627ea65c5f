// Walks the lowered table of the graph in two interpreters that nobody here wrote: from each
// state, with each event of its region, with guards that allow and that refuse. Arguments:
// the graph as `statectl graph --json` prints it, the XState configuration, the SCXML.
import fs from "node:fs";
import { createRequire } from "node:module";
import { createMachine, fromPromise, transition } from "xstate";

const [graphFile, xstateFile, scxmlFile] = process.argv.slice(2);
const { graph } = JSON.parse(fs.readFileSync(graphFile, "utf8"));
let allowed = true; // what every guard answers

// walk asks step for the state that follows, for each row and for each pair without one.
function walk(step) {
  const result = { steps: 0, wrong: [] };
  for (const region of graph.regions) {
    const other = graph.regions.find((r) => r !== region);
    for (const state of region.states.filter((s) => s.kind !== "final")) {
      for (const { name: event } of region.events) {
        for (allowed of [true, false]) {
          const row = region.edges.find((e) => e.from === state.name && e.event === event);
          const want = row && (allowed || !row.guards) ? row.to : state.name;
          const have = step(region, state.name, other, event);
          result.steps++;
          if (have !== want) result.wrong.push(`${state.name} ${event} (guards ${allowed}) led to ${have}, not to ${want}`);
        }
      }
    }
  }
  return result;
}

function xstate() {
  const guards = {}, delays = {}, actors = {};
  for (const region of graph.regions) {
    for (const { guards: all } of region.edges) if (all) guards[all.map((g) => g.name).join(" and ")] = () => allowed;
    for (const state of region.states) {
      for (const timer of state.timers ?? []) delays[timer.event] = 1e6;
      if (state.job) actors[state.job] = fromPromise(async () => {});
    }
  }
  const machine = createMachine(JSON.parse(fs.readFileSync(xstateFile, "utf8"))).provide({ guards, delays, actors, actions: { signal: () => {} } });
  const value = (region, name) => {
    const within = Object.fromEntries((region.composites ?? []).map((c) => [c.name, c.within]));
    let v = name;
    for (let c = region.states.find((s) => s.name === name).within; c; c = within[c]) v = { [c]: v };
    return v;
  };
  const leaf = (v) => (typeof v === "string" ? v : leaf(Object.values(v)[0]));
  return walk((region, state, other, event) => {
    const at = machine.resolveState({ value: { [region.name]: value(region, state), [other.name]: "Closed" } });
    return leaf(transition(machine, at, { type: event })[0].value[region.name]);
  });
}

async function scxml() {
  const scion = createRequire(import.meta.url)("@scion-scxml/scxml");
  const model = await new Promise((resolve, reject) =>
    scion.documentStringToModel(scxmlFile, fs.readFileSync(scxmlFile, "utf8"), (error, m) => (error ? reject(error) : resolve(m)), {}));
  const chart = await new Promise((resolve, reject) =>
    model.prepare((error, c) => (error ? reject(error) : resolve(c)), { delay: () => 1e6, guard: () => allowed }));
  return walk((region, state, other, event) => {
    const snapshot = [[`${region.name}-${state}`, `${other.name}-Closed`], {}, false, {}, []];
    const now = new scion.core.Statechart(chart, { snapshot }).gen({ name: event });
    return now.find((id) => id.startsWith(`${region.name}-`)).slice(region.name.length + 1);
  });
}

fs.writeSync(1, JSON.stringify({ xstate: xstate(), scxml: await scxml() }));
process.exit(0); // the timers of the states that were entered are of no more interest
