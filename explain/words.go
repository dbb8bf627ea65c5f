package explain

import "mcpproxy/transitions"

// calls says what becomes of a call that is made now.
var calls = map[transitions.Outlook]string{
	transitions.Serves:      "A call is sent on at once.",
	transitions.OnItsWay:    "A call waits, within its own deadline, until the upstream can take it.",
	transitions.NeedsPerson: "A call fails at once and says which command to run.",
	transitions.RenewalFails: "A call has the token renewed once more and waits for that; if it fails, the call does, and says when the " +
		"next attempt is due.",
	transitions.Unwanted: "A call fails at once and says how to connect the upstream.",
	transitions.Broken:   "A call fails at once and says what has to be fixed.",
	transitions.Gone:     "A call fails at once.",
}
