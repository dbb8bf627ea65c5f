package jsonrpc

import (
	"encoding/json"
	"fmt"
)

// MaxBatch bounds the messages of one batch.
const MaxBatch = 100

// Split returns the messages of a batch (JSON-RPC 2.0 section 6), which [Decode]
// reads one by one. Errors match [ErrInvalid]; an empty batch and one of more than
// [MaxBatch] messages are such errors.
func Split(text []byte) ([]json.RawMessage, error) {
	var batch []json.RawMessage
	if err := json.Unmarshal(text, &batch); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	switch n := len(batch); {
	case n == 0:
		return nil, fmt.Errorf("%w: an empty batch", ErrInvalid)
	case n > MaxBatch:
		return nil, fmt.Errorf("%w: a batch of %d messages, and %d are the most that are taken", ErrInvalid, n, MaxBatch)
	}
	return batch, nil
}

// AppendBatch writes messages as one batch to buffer and returns it.
func AppendBatch(buffer []byte, messages []*Message) []byte {
	buffer = append(buffer, '[')
	for i, m := range messages {
		if i > 0 {
			buffer = append(buffer, ',')
		}
		buffer = m.Append(buffer)
	}
	return append(buffer, ']')
}
