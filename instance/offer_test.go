package instance_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// statelessCall is one tools/call of a client of 2026-07-28 that opens addresses;
// more are further parameters.
func statelessCall(t *testing.T, url string, id int, more string) (status int, answer map[string]json.RawMessage) {
	t.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"tools/call","params":{"name":"echo","arguments":{"text":"after the login"},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",
		"io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{"elicitation":{"url":{}}}}%s}}`, id, more)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/mcp/u", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
		"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "echo"} {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return response.StatusCode, answer
}

// A client of the stateless protocol is offered the login in a result that asks for
// input, and sends the call again when the user has agreed; the call goes on when
// the login is over.
func TestACallOffersTheLoginToAStatelessClient(t *testing.T) {
	server, url := start(t)
	status, first := statelessCall(t, url, 1, "")
	var asks struct {
		ResultType    string
		RequestState  string
		InputRequests map[string]struct {
			Method string
			Params struct{ Mode, URL, Message string }
		}
	}
	if err := json.Unmarshal(first["result"], &asks); err != nil || status != http.StatusOK || asks.ResultType != "input_required" ||
		asks.RequestState == "" || len(asks.InputRequests) != 1 {
		t.Fatalf("%d %s, %v", status, first, err)
	}
	answers := ""
	for key, offer := range asks.InputRequests {
		if offer.Method != "elicitation/create" || offer.Params.Mode != "url" || offer.Params.URL != url+"/login/u" {
			t.Fatalf("the client was offered %+v", offer)
		}
		answers = fmt.Sprintf(`,"requestState":%q,"inputResponses":{%q:{"action":"accept"}}`, asks.RequestState, key)
	}

	// The client opens the page, sends the call again at once, and waits for both.
	ended := make(chan string, 1)
	go func() {
		response, err := http.Post(url+"/login/u", "application/x-www-form-urlencoded", nil)
		if err != nil {
			ended <- err.Error()
			return
		}
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		ended <- string(text)
	}()
	status, second := statelessCall(t, url, 2, answers)
	if result := string(second["result"]); status != http.StatusOK || !strings.Contains(result, "after the login") || !strings.Contains(result, `"resultType":"complete"`) {
		t.Errorf("the call ended with %d %s", status, second)
	}
	if page := <-ended; !strings.Contains(page, "Logged in to u") {
		t.Errorf("the browser ended with %s", page)
	}
	if c := server.Counters(); c.Authorize != 1 || c.TokenCode != 1 {
		t.Errorf("counted %+v", c)
	}
}

// Who declines is told what a user has to do, and no login is open.
func TestAStatelessClientDeclinesTheLogin(t *testing.T) {
	server, url := start(t)
	_, first := statelessCall(t, url, 1, "")
	var asks struct {
		RequestState  string
		InputRequests map[string]json.RawMessage
	}
	if err := json.Unmarshal(first["result"], &asks); err != nil || len(asks.InputRequests) != 1 {
		t.Fatalf("%s, %v", first, err)
	}
	for key := range asks.InputRequests {
		_, second := statelessCall(t, url, 2, fmt.Sprintf(`,"requestState":%q,"inputResponses":{%q:{"action":"decline"}}`, asks.RequestState, key))
		if failure := string(second["error"]); !strings.Contains(failure, "mcpproxy auth login u") {
			t.Errorf("the call ended with %s", second)
		}
	}
	if c := server.Counters(); c.Authorize != 0 {
		t.Errorf("counted %+v", c)
	}
}
