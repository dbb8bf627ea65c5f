package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
)

// answer is the user and the model behind the client: every form is accepted
// with its defaults, every sampling answered with one sentence.
func answer(_ context.Context, request transport.JSONRPCRequest) (*transport.JSONRPCResponse, error) {
	params, err := json.Marshal(request.Params)
	if err != nil {
		return nil, err
	}
	var result any
	switch request.Method {
	case "elicitation/create":
		result, err = acceptDefaults(params)
	case "sampling/createMessage":
		result = map[string]any{"role": "assistant", "model": "none", "content": map[string]string{"type": "text", "text": "An answer."}}
	case "roots/list":
		result = map[string]any{"roots": []map[string]string{{"uri": "file:///work", "name": "work"}}}
	default:
		err = fmt.Errorf("no answer to %s", request.Method)
	}
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(result)
	return &transport.JSONRPCResponse{JSONRPC: mcp.JSONRPC_VERSION, ID: request.ID, Result: raw}, err
}

// acceptDefaults fills a form with the defaults of its schema.
func acceptDefaults(params json.RawMessage) (any, error) {
	var form struct {
		Schema struct {
			Properties map[string]struct {
				Type    string          `json:"type"`
				Default json.RawMessage `json:"default"`
			} `json:"properties"`
			Required []string `json:"required"`
		} `json:"requestedSchema"`
	}
	if err := json.Unmarshal(params, &form); err != nil {
		return nil, err
	}
	content := map[string]json.RawMessage{}
	for name, property := range form.Schema.Properties {
		if property.Default != nil {
			content[name] = property.Default
		}
	}
	for _, name := range form.Schema.Required {
		if content[name] == nil {
			content[name] = plain(form.Schema.Properties[name].Type)
		}
	}
	return map[string]any{"action": "accept", "content": content}, nil
}

// plain is a value of a type.
func plain(kind string) json.RawMessage {
	switch kind {
	case "boolean":
		return json.RawMessage("true")
	case "integer", "number":
		return json.RawMessage("1")
	}
	return json.RawMessage(`"a value"`)
}
