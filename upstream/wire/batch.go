package wire

import (
	"context"
	"encoding/json"
	"fmt"

	"mcpproxy/jsonrpc"

	"github.com/mark3labs/mcp-go/mcp"
)

// hasBatches reports whether a server of this revision may send batches, which
// clients have to take (MCP 2025-03-26 basic; no other revision has them).
func hasBatches(version string) bool { return version == mcp.ProtocolVersion20250326 }

// messagesOf are the messages of a batch.
func messagesOf(text []byte) ([]*jsonrpc.Message, error) {
	parts, err := jsonrpc.Split(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	messages := make([]*jsonrpc.Message, len(parts))
	for i, part := range parts {
		if messages[i], err = jsonrpc.Decode(part); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
		}
	}
	return messages, nil
}

// batch handles all messages of a batch; done means that the answer was among them.
func (x *exchange) batch(ctx context.Context, text []byte) (result json.RawMessage, done bool, err error) {
	messages, err := messagesOf(text)
	if err != nil {
		return nil, true, err
	}
	for _, m := range messages {
		if answer, last, failure := x.message(ctx, m); last {
			result, done, err = answer, true, failure
		}
	}
	return result, done, err
}
