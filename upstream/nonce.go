package upstream

import (
	"context"

	"mcpproxy/credential"
	"mcpproxy/transitions"
	"mcpproxy/upstream/oauth"
)

// proofs lends a job's token requests the nonce that the machine knows, and asks the
// machine whether one that was refused for want of a nonce goes out once more.
type proofs struct {
	order transitions.Order
	// next is the nonce that came with the answer.
	next string
}

func (p *proofs) context(ctx context.Context) context.Context {
	return oauth.WithNonces(ctx, oauth.Nonces{
		Last:  p.order.Snapshot.Data.TokenNonce,
		Given: func(nonce string) { p.next = nonce },
		Demanded: func(nonce string) bool {
			_, err := p.order.Fire(transitions.Input{Event: transitions.TokenNonceDemanded, Flow: p.order.Snapshot.Data.FlowID,
				Payload: transitions.Payload{Nonce: nonce}})
			return err == nil
		},
	})
}

// resend asks the machine whether a request that the server has not carried out for
// want of a nonce goes out once more: not with a token that was replaced meanwhile.
func (u *Upstream) resend(token *credential.Token) bool {
	_, err := u.fire(transitions.Input{Event: transitions.NonceDemanded, Payload: transitions.Payload{Generation: token.Generation}})
	return err == nil
}
