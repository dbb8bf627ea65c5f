package credential

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// Secret holds a value that must never be printed: an access or refresh token,
// an authorization code, a PKCE verifier, a client secret. Every way of turning
// it into text (fmt with any verb, log/slog, encoding/json, encoding.TextMarshaler)
// yields "[redacted]"; only [Secret.Reveal] gives the value, so a search for
// Reveal finds every place where a secret leaves its wrapper.
//
// The zero Secret is "no secret". Secrets are comparable with ==.
type Secret struct{ value string }

// NewSecret wraps value.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal returns the wrapped value. Call it only where the value goes onto the
// wire to its owner or into the encrypted store.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.value == "" }

// Fingerprint returns the first eight hexadecimal digits of the value's SHA-256,
// which correlates log lines about one secret without giving it away. It is
// empty for the zero Secret.
func (s Secret) Fingerprint() string {
	if s.value == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(s.value))
	return hex.EncodeToString(sum[:4])
}

// String implements fmt.Stringer.
func (s Secret) String() string {
	if s.value == "" {
		return ""
	}
	return redacted
}

// Format implements fmt.Formatter, so that no verb (%#v, %x, %q) reaches the value.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON implements json.Marshaler.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText implements encoding.TextMarshaler.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
