package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"mcpproxy/jsonrpc"
	"mcpproxy/relay"
)

// rounds bounds how often a server may ask for input during one call.
const rounds = 10

// inputRequired is a result that asks for input (MCP 2026-07-28, multi round-trip
// requests).
type inputRequired struct {
	Type     string `json:"resultType"`
	Requests map[string]struct {
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
	} `json:"inputRequests"`
	State json.RawMessage `json:"requestState"`
}

// withInput makes a call and answers what its results ask for, until one is
// complete. A caller that speaks the stateless protocol answers by itself.
func withInput(ctx context.Context, call relay.Call,
	send func(context.Context, relay.Call) (json.RawMessage, error)) (json.RawMessage, error) {
	next := call
	for range rounds {
		result, err := send(ctx, next)
		if err != nil {
			return nil, err
		}
		asks, err := readInputRequired(result)
		if err != nil || asks == nil || call.Stateless {
			return result, err
		}
		if next, err = answered(ctx, call, asks); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%w: it asked for input %d times during one call", ErrProtocol, rounds)
}

// readInputRequired returns nil for a result that is complete.
func readInputRequired(result json.RawMessage) (*inputRequired, error) {
	if kind := jsonrpc.Member(result, "resultType"); kind == nil || string(kind) == `"complete"` {
		return nil, nil
	}
	var asks inputRequired
	if err := json.Unmarshal(result, &asks); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	if asks.Type != "input_required" {
		return nil, fmt.Errorf("%w: a result of the unknown type %q", ErrProtocol, asks.Type)
	}
	return &asks, nil
}

// answered is the call once more with what its caller answered. The state goes
// back exactly as it came, or not at all.
func answered(ctx context.Context, call relay.Call, asks *inputRequired) (relay.Call, error) {
	answers := map[string]json.RawMessage{}
	for _, key := range slices.Sorted(maps.Keys(asks.Requests)) {
		question := asks.Requests[key]
		if call.Ask == nil {
			return call, jsonrpc.Errorf(jsonrpc.CodeInvalidRequest,
				"the server asks for %s, and no client that could answer it is behind this call", question.Method)
		}
		answer, err := call.Ask(ctx, question.Method, question.Params)
		if err != nil {
			return call, err
		}
		answers[key] = answer
	}
	if len(answers) > 0 {
		encoded, err := json.Marshal(answers)
		if err != nil {
			return call, fmt.Errorf("the client's answer: %w", err)
		}
		call.Params, call.Members = jsonrpc.Put(call.Params, encoded, "inputResponses"), nil
	}
	if asks.State != nil {
		call.Params, call.Members = jsonrpc.Put(call.Params, asks.State, "requestState"), nil
	}
	return call, nil
}
