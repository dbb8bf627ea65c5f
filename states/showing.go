package states

// Showing says what became of showing a login's page to its user.
type Showing string

// What becomes of a page. Nobody is told its address before its login is listened for
// ([AwaitedByBrowser], [WantedElsewhere]): a browser that is quick would come back to nobody.
const (
	// NotShown: nothing is known of it yet.
	NotShown Showing = ""
	// AwaitedByBrowser: a browser waits for the address; no other is opened.
	AwaitedByBrowser Showing = "awaited-by-browser"
	// SentToBrowser: the browser that asked for it was sent there.
	SentToBrowser Showing = "sent-to-browser"
	// WantedElsewhere: the address is to be shown, and no browser opened here.
	WantedElsewhere Showing = "wanted-elsewhere"
	// ShownElsewhere: the address is shown, and no browser was opened here.
	ShownElsewhere Showing = "shown-elsewhere"
	// Opening: the browser is being opened.
	Opening Showing = "opening"
	// Opened: the browser was opened.
	Opened Showing = "opened"
	// NotOpened: the browser could not be opened; the detail says why.
	NotOpened Showing = "not-opened"
	// CodeShown: the page is to be visited on any device; the detail is the code to enter.
	CodeShown Showing = "code-shown"
	// OpenBeforeRestart: the page was shown before a restart, and is good still.
	OpenBeforeRestart Showing = "open-before-restart"
)

// Shown is what became of showing a page, with the detail that How speaks of.
type Shown struct {
	How    Showing
	Detail string
}

// Visitable reports whether the page may be visited.
func (s Shown) Visitable() bool {
	switch s.How {
	case NotShown, AwaitedByBrowser, WantedElsewhere:
		return false
	}
	return true
}

// String says it as a sentence without its end; empty where there is nothing to say.
func (s Shown) String() string {
	switch s.How {
	case NotOpened:
		return "the browser was not opened: " + s.Detail
	case CodeShown:
		return "enter the code " + s.Detail + " on any device"
	}
	return showingDocs[s.How]
}

var showingDocs = map[Showing]string{
	AwaitedByBrowser:  "the browser that asked for the page is about to get it",
	SentToBrowser:     "the browser that asked for the page has it",
	WantedElsewhere:   "the page is about to be offered elsewhere, as was asked",
	ShownElsewhere:    "the page is offered elsewhere, as was asked",
	Opening:           "the page is being opened in the browser",
	Opened:            "the page was opened in the browser",
	OpenBeforeRestart: "the page was shown before a restart; ask for the login to open it again",
}
