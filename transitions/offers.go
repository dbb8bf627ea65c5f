package transitions

import "mcpproxy/states"

// When an offer of the declaration is one: pure functions of the machine.

func hasToken(s *Snapshot) bool { return s.Data.Token != nil }

func canLogOut(s *Snapshot) bool {
	return s.Data.Token != nil && s.Region(states.Credential).State != states.LoggingOut
}

// isLogin is when what is under way is a login, and no grant.
func isLogin(s *Snapshot) bool { return s.Data.FlowID != "" }

func lacksScopes(s *Snapshot) bool { return len(s.Data.Scopes) > 0 }

func isConnected(s *Snapshot) bool { return s.Region(states.Connection).State == states.Connected }

// isWanted is when a login has the upstream connect too.
func isWanted(s *Snapshot) bool {
	connection := s.Region(states.Connection).State
	return connection != states.Disconnected && connection != states.Failed && entryIsUsable(s)
}

// entryIsUsable is when an attempt can help before the configuration changes.
func entryIsUsable(s *Snapshot) bool {
	return entryUsable.Check(s.Data, nil) == nil && s.Data.Reason != states.EntryInvalid
}

func isDamaged(s *Snapshot) bool { return s.Data.Reason == states.StoreCorrupt }

// mayHelpToLogIn is false where what failed is no matter of a login.
func mayHelpToLogIn(s *Snapshot) bool {
	return entryIsUsable(s) && s.Data.Reason != states.StaticRefused && s.Data.Reason != states.StoreCorrupt
}
