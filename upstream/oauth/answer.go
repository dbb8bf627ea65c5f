package oauth

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// answer is what an authorization server said. It is read by what it holds, whatever its
// Content-Type, its status and its spelling are: servers in use give numbers as strings
// and strings as numbers, forms in place of JSON, and errors under 200.
type answer struct {
	status int
	// members are those of the document, their names without case and underscores; nil
	// where there is no document.
	members map[string]any
	// page says that this is a page for users (see [isPage]), title what it is called.
	page  bool
	title string
	// text is the body where it is neither a document nor a page.
	text string
	// broken is why the body could not be read to its end.
	broken error
}

// longestLife bounds the life of a token that a server states.
const longestLife = 10 * 365 * 24 * time.Hour

// readAnswer reads the answer to one request, and never fails: what cannot be read is
// part of what it says.
func readAnswer(response *http.Response) answer {
	a := answer{status: response.StatusCode}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = fmt.Errorf("the answer is longer than %d MiB", maxBody>>20)
	}
	a.broken = err
	body = bytes.TrimSpace(unmarked(body))
	switch a.members = document(body); {
	case a.members != nil:
	case len(body) == 0:
		a.members = challenged(response)
	case isPage(body, response.Header.Get("Content-Type")):
		a.page, a.title = true, titleOf(body)
	default:
		a.text = string(body)
	}
	return a
}

// unmarked is the text without its byte order mark, in UTF-8.
func unmarked(body []byte) []byte {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(body, []byte{0xEF, 0xBB, 0xBF}):
		return body[3:]
	case bytes.HasPrefix(body, []byte{0xFF, 0xFE}):
		order = binary.LittleEndian
	case bytes.HasPrefix(body, []byte{0xFE, 0xFF}):
		order = binary.BigEndian
	default:
		return body
	}
	units := make([]uint16, 0, len(body)/2)
	for rest := body[2:]; len(rest) > 1; rest = rest[2:] {
		units = append(units, order.Uint16(rest))
	}
	return []byte(string(utf16.Decode(units)))
}

// document reads a JSON object, or a form that holds what token endpoints answer; nil
// for anything else. What follows the object is passed over.
func document(body []byte) map[string]any {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte(")]}'")))
	var value any
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err == nil {
		switch value := value.(type) {
		case map[string]any:
			return folded(value)
		case []any:
			if len(value) == 0 {
				return nil
			}
			switch one := value[0].(type) {
			case string:
				return bare(one)
			case map[string]any:
				if members := folded(one); len(value) == 1 || refuses(members) {
					return members
				}
			}
		case string:
			if inner := strings.TrimSpace(value); strings.HasPrefix(inner, "{") {
				return document([]byte(inner)) // JSON that was encoded twice
			}
			return bare(value)
		}
		return nil
	}
	if found := markedUp.FindSubmatch(body); found != nil && bytes.HasPrefix(body, []byte("<")) {
		return bare(string(found[1]))
	}
	if bytes.ContainsAny(body, "\t\r\n<{") || bytes.Contains(body, []byte(" ")) && !bytes.HasPrefix(body, []byte("error=")) {
		return nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || !form.Has("access_token") && !form.Has("error") {
		return bare(string(body))
	}
	members := map[string]any{}
	for name := range form {
		members[fold(name)] = form.Get(name)
	}
	return members
}

// markedUp is an error of a server that writes XML.
var markedUp = regexp.MustCompile(`<error>\s*([\w.-]+)\s*</error>`)

// bare is the document that a code is which stands alone; nil for any other word.
func bare(code string) map[string]any {
	if _, class := classOfCode(code); class == "" || !isCode(code) {
		return nil
	}
	return map[string]any{"error": code}
}

// challenged is the error of an answer that has it in a header only (RFC 6749 section 5.2);
// others than these two speak of what a gateway asked for.
func challenged(response *http.Response) map[string]any {
	for _, c := range ParseChallenges(response.Header) {
		if c.Error == "invalid_client" || c.Error == "invalid_grant" {
			return map[string]any{"error": c.Error, "errordescription": c.ErrorDescription}
		}
	}
	return nil
}

// fold makes access_token, accessToken and Access-Token one name.
func fold(name string) string {
	return strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(name))
}

// folded is an object by its folded names; of two that become one, the one that is
// spelled as in the RFCs counts.
func folded(object map[string]any) map[string]any {
	members := make(map[string]any, len(object))
	for name, value := range object {
		key := fold(name)
		if _, there := members[key]; !there || strings.ToLower(name) == name {
			members[key] = value
		}
	}
	return members
}

// isPage reports whether a body that is no document is a page for users, which a
// gateway, a load balancer or a login wall gives in the place of the server: it says
// nothing about what was sent. A page is markup, so a body that begins with "<", or a
// body that is not empty and whose Content-Type is that of markup. What mentions an
// access token is none, as it may be a server's answer in a form that is not known here.
func isPage(body []byte, contentType string) bool {
	if len(body) == 0 || bytes.Contains(bytes.ToLower(body), []byte("access_token")) {
		return false
	}
	kind, _, _ := strings.Cut(strings.ToLower(contentType), ";")
	return body[0] == '<' || strings.HasSuffix(strings.TrimSpace(kind), "html") || strings.HasSuffix(strings.TrimSpace(kind), "/xml")
}

var title = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)

// titleOf is what a page is called, or empty.
func titleOf(page []byte) string {
	found := title.FindSubmatch(page)
	if found == nil {
		return ""
	}
	return strings.Join(strings.Fields(html.UnescapeString(string(found[1]))), " ")
}

// word is the first of the named members that holds a word: a string, or a number where a
// string should stand.
func word(members map[string]any, names ...string) string {
	for _, name := range names {
		switch value := members[fold(name)].(type) {
		case string:
			if text := strings.TrimSpace(value); text != "" {
				return text
			}
		case json.Number:
			return value.String()
		}
	}
	return ""
}

func (a answer) word(names ...string) string { return word(a.members, names...) }

// tokens are the members that hold the access token: the document's own, or those of an
// object within it (Slack's authed_user, others' data or result).
func (a answer) tokens() map[string]any {
	inner := a.holding("access_token")
	for _, name := range []string{"refreshtoken", "expiresin"} {
		if outer, there := a.members[name]; inner != nil && inner[name] == nil && there {
			inner[name] = outer
		}
	}
	return inner
}

// holding are the members of the document, or of the object within it, that have one of a
// name; nil where there is none.
func (a answer) holding(name string) map[string]any {
	if word(a.members, name) != "" {
		return a.members
	}
	return nested(a.members, name, 2)
}

func nested(members map[string]any, wanted string, depth int) map[string]any {
	if depth == 0 {
		return nil
	}
	var names []string
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		object, ok := members[name].(map[string]any)
		if !ok {
			continue
		}
		inner := folded(object)
		if word(inner, wanted) == "" {
			inner = nested(inner, wanted, depth-1)
		}
		if inner != nil {
			return inner
		}
	}
	return nil
}

// seconds is a member that counts seconds, as a number of any kind or a duration; 0 where
// none is stated, or none that can be.
func seconds(members map[string]any, name string) time.Duration {
	text := word(members, name)
	n, err := strconv.ParseFloat(text, 64)
	if err != nil && math.IsInf(n, 0) {
		err = nil // a number, and a huge one
	}
	if err != nil {
		d, err := time.ParseDuration(text)
		if err != nil {
			return 0
		}
		n = d.Seconds()
	}
	if math.IsNaN(n) || n <= 0 {
		return 0
	}
	return time.Duration(min(n, longestLife.Seconds()) * float64(time.Second))
}

// scopesOf are the scopes that a member grants, in order and without repeats: separated by
// blanks, by commas where there is no blank (RFC 6749 section 3.3 allows a comma within a
// scope, and no server is known that has one), or as a list.
func scopesOf(members map[string]any, name string) []string {
	var scopes []string
	switch value := members[fold(name)].(type) {
	case string:
		scopes = strings.Fields(value)
		if len(scopes) == 1 || len(scopes) > 1 && !slices.ContainsFunc(scopes,
			func(s string) bool { return !strings.HasSuffix(s, ",") && s != scopes[len(scopes)-1] }) {
			scopes = strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
		}
	case []any:
		for _, each := range value {
			if scope, ok := each.(string); ok {
				scopes = append(scopes, strings.Fields(scope)...)
			}
		}
	}
	slices.Sort(scopes)
	return slices.Compact(scopes)
}
