package verify

import (
	"mcpproxy/credential"
)

// root is a world in which a search begins.
type root struct {
	label string
	world *world
}

// roots are the first start, with nothing on disk, and where they are asked for the
// later ones: each with one of the things that an earlier process leaves there.
func (x *explorer) roots() []root {
	if x.options.From != nil {
		return x.options.From
	}
	all := []root{x.root("the process starts", func(*world) {})}
	if x.options.explores(disconnect) {
		w := &world{}
		x.begin(w)
		all = append(all, root{"the process starts, and nobody wants the upstream", w})
	}
	if !x.options.Stored || x.options.Mode == Given {
		return all
	}
	all = append(all,
		x.root("the process starts with a stored token", x.stores),
		x.root("the process starts with an expired token", func(w *world) { x.stores(w); w.clock = 2 }),
		x.root("the process starts after a logout", func(w *world) { w.disk = disk{generation: 1, logout: true} }))
	if x.options.Mode != Unattended {
		all = append(all,
			x.root("the process starts with a refresh of no known outcome", func(w *world) {
				x.stores(w)
				w.disk.intent = &credential.Intent{ID: w.id("intent"), Generation: 1}
			}),
			x.root("the process starts with an open login", func(w *world) {
				w.disk.flow = &credential.Flow{ID: w.id("flow"), Key: key0, Deadline: w.now().Add(settings(x.options.Mode).LoginDeadline)}
				if x.options.Mode == Device {
					w.disk.flow.DeviceCode = credential.NewSecret("code of " + w.disk.flow.ID)
				} else {
					w.openTab(w.disk.flow.ID)
				}
			}))
	}
	return all
}

func (x *explorer) root(label string, leave func(*world)) root {
	w := &world{}
	leave(w)
	x.start(w)
	return root{label, w}
}

// stores puts a token on disk, as a login leaves it.
func (x *explorer) stores(w *world) {
	token := w.newToken(1, x.options.Mode != Unattended)
	w.disk = disk{token: token, generation: 1}
	if token.HasRefresh() {
		w.server.grants = append(w.server.grants, refreshToken{id: token.Refresh.Reveal(), family: w.ids})
	}
}
