package transitions

import (
	"errors"

	"mcpproxy/states"
)

// ErrNoProof says that a nonce was demanded of a request that carries no proof.
var ErrNoProof = errors.New("the token is not bound to a key, so that there is no proof for a nonce to go into")

var provesPossession = Guard{
	Name: "provesPossession",
	Doc:  "the token is bound to a key, or the next one will be",
	Check: func(d states.Data, _ *Input) error {
		if d.Token != nil && !d.Token.Key.IsZero() || d.Flow != nil && !d.Flow.Key.IsZero() {
			return nil
		}
		return ErrNoProof
	},
}

// resourceNonce is the resource server's demand for a nonce in the proof of possession
// (RFC 9449 section 9). A request that meets one was not carried out; it is sent once more
// where the demand is accepted, and not where it is refused.
func resourceNonce() row {
	return row{On: events{NonceDemanded}, Guards: guards{currentGeneration, provesPossession}, Update: credentialFailure,
		Doc: "the request is sent once more with the nonce"}
}

// tokenNonce is the same demand of the token endpoint (RFC 9449 section 8).
func tokenNonce() row {
	return row{On: events{TokenNonceDemanded}, Guards: guards{provesPossession}, Update: takeNonce,
		Doc: "the token request is sent once more with the nonce"}
}

// takeNonce keeps what the next proof at the token endpoint has to carry.
func takeNonce(d states.Data, in *Input) states.Data {
	if in.Payload.Nonce != "" {
		d.TokenNonce = in.Payload.Nonce
	}
	return d
}

// forgetNonce drops the nonce of another authorization server than the one that was found.
func forgetNonce(d states.Data, in *Input) states.Data {
	if found := in.Payload.Discovery; d.Token == nil || found == nil || found.Issuer != d.Token.Issuer {
		d.TokenNonce = ""
	}
	return d
}
