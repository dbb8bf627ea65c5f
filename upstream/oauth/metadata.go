package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"mcpproxy/credential"
)

// resourceMetadata is protected resource metadata (RFC 9728 section 2).
type resourceMetadata struct {
	Resource             text  `json:"resource"`
	AuthorizationServers words `json:"authorization_servers"`
	ScopesSupported      words `json:"scopes_supported"`
	ProofRequired        flag  `json:"dpop_bound_access_tokens_required"`
	BearerMethods        words `json:"bearer_methods_supported"`
	CertificateRequired  flag  `json:"tls_client_certificate_bound_access_tokens"`
}

// serverMetadata is authorization server metadata (RFC 8414 section 2).
type serverMetadata struct {
	Issuer                text  `json:"issuer"`
	AuthorizationEndpoint text  `json:"authorization_endpoint"`
	TokenEndpoint         text  `json:"token_endpoint"`
	RegistrationEndpoint  text  `json:"registration_endpoint"`
	RevocationEndpoint    text  `json:"revocation_endpoint"`
	DeviceEndpoint        text  `json:"device_authorization_endpoint"`
	ScopesSupported       words `json:"scopes_supported"`
	CodeChallengeMethods  words `json:"code_challenge_methods_supported"`
	AuthMethods           words `json:"token_endpoint_auth_methods_supported"`
	SigningAlgorithms     words `json:"token_endpoint_auth_signing_alg_values_supported"`
	GrantTypes            words `json:"grant_types_supported"`
	ClientIDMetadata      flag  `json:"client_id_metadata_document_supported"`
	IssuerInResponse      flag  `json:"authorization_response_iss_parameter_supported"`
	ResponseTypes         words `json:"response_types_supported"`
	PushRequired          flag  `json:"require_pushed_authorization_requests"`
	PushEndpoint          text  `json:"pushed_authorization_request_endpoint"`
	// SubjectTypes is there in OpenID Connect metadata only.
	SubjectTypes words `json:"subject_types_supported"`
}

// discovery is what the document says, with each address made absolute.
func (m *serverMetadata) discovery(at source) credential.Discovery {
	return credential.Discovery{
		Issuer:                   string(m.Issuer),
		ServerMetadataURL:        at.place,
		FreshUntil:               at.until,
		FetchedAt:                time.Now().UTC(),
		AuthorizationEndpoint:    m.AuthorizationEndpoint.at(at.place),
		TokenEndpoint:            m.TokenEndpoint.at(at.place),
		RegistrationEndpoint:     m.RegistrationEndpoint.at(at.place),
		RevocationEndpoint:       m.RevocationEndpoint.at(at.place),
		DeviceEndpoint:           m.DeviceEndpoint.at(at.place),
		PushEndpoint:             m.PushEndpoint.at(at.place),
		PushRequired:             bool(m.PushRequired),
		ServerScopes:             m.ScopesSupported,
		CodeChallengeMethods:     m.CodeChallengeMethods,
		AuthMethods:              m.AuthMethods,
		OpenID:                   len(m.SubjectTypes) > 0,
		SigningAlgorithms:        m.SigningAlgorithms,
		GrantTypes:               m.GrantTypes,
		ClientIDMetadataDocument: bool(m.ClientIDMetadata),
		IssuerInResponse:         bool(m.IssuerInResponse),
	}
}

// source is where a document was read, and until when it may be used; nowhere, and no
// time, where there is none or nothing was said.
type source struct {
	place string
	until time.Time
}

// firstOf reads the first document that there is into m. A place that cannot be read
// does not hide the next; where none can be, it is not known that there is no document.
func firstOf[M any](ctx context.Context, hc *http.Client, operation string, places []string, m *M) (source, error) {
	var failure error
	for _, place := range places {
		var read M
		asked := time.Now()
		header, err := get(ctx, hc, operation, place, &read)
		if header != nil {
			*m = read
			return source{place, freshUntil(header, asked)}, nil
		}
		if err != nil && (failure == nil || passing(err)) {
			failure = err
		}
	}
	return source{}, failure
}

// wellKnown inserts the well-known name before the path and query, or appends it.
func wellKnown(base *url.URL, name string, appended bool) string {
	path := strings.TrimSuffix(base.EscapedPath(), "/")
	if base.RawQuery != "" && !appended {
		path += "?" + base.RawQuery
	}
	if appended {
		return base.Scheme + "://" + base.Host + path + "/.well-known/" + name
	}
	return base.Scheme + "://" + base.Host + "/.well-known/" + name + path
}

// covers reports whether a resource identifier is the server or a parent of it.
func covers(resource text, server *url.URL) bool {
	r, err := url.Parse(string(resource))
	if err != nil || !strings.EqualFold(r.Scheme, server.Scheme) || !strings.EqualFold(r.Host, server.Host) {
		return false
	}
	parent, path := strings.TrimSuffix(r.Path, "/"), strings.TrimSuffix(server.Path, "/")
	return path == parent || strings.HasPrefix(path, parent+"/")
}

// checkEndpoints refuses endpoints that secrets must not be sent to or a browser not
// be led to, and servers without PKCE (MCP 2025-11-25 authorization, authorization code protection).
func checkEndpoints(d credential.Discovery, r DiscoveryRequest) error {
	for name, endpoint := range map[string]string{"authorization": d.AuthorizationEndpoint, "token": d.TokenEndpoint} {
		if r.Unattended && name == "authorization" {
			continue
		}
		if err := r.Reach.checkURL(endpoint); err != nil {
			return &Error{Operation: "discovery", Class: Misconfigured, URL: where(d.Issuer), Err: fmt.Errorf("the %s endpoint: %w", name, err)}
		}
	}
	silent := len(d.CodeChallengeMethods) == 0
	if r.Unattended || silent && r.AssumePKCE ||
		slices.ContainsFunc(d.CodeChallengeMethods, func(m string) bool { return strings.EqualFold(m, "S256") }) {
		return nil
	}
	failure := &Error{
		Operation: "discovery",
		Class:     Unsupported,
		URL:       where(d.Issuer),
		Err:       errors.New("the authorization server does not say that it supports PKCE with S256"),
	}
	if silent {
		failure.Suggest = []Suggestion{{AssumePKCE, ""}}
	}
	return failure
}

// checkDemands refuses a server that lacks what the grant needs, and one that
// demands what is not done here.
func checkDemands(m *serverMetadata, resource *resourceMetadata, r DiscoveryRequest) error {
	fail := func(text string, args ...any) error {
		return &Error{Operation: "discovery", Class: Unsupported, URL: where(string(m.Issuer)), Err: fmt.Errorf(text, args...)}
	}
	grant := r.GrantType
	if grant == "" {
		grant = "authorization_code"
	}
	switch {
	case len(m.GrantTypes) > 0 && !slices.Contains(m.GrantTypes, grant):
		return fail("the authorization server does not offer the grant type %s", grant)
	case grant == "authorization_code" && len(m.ResponseTypes) > 0 && !slices.Contains(m.ResponseTypes, "code"):
		return fail("the authorization server does not offer the response type code")
	case grant == "authorization_code" && bool(m.PushRequired) && m.PushEndpoint == "":
		return fail("the authorization server takes pushed authorization requests only (RFC 9126), and its metadata does not say where")
	case resource != nil && len(resource.BearerMethods) > 0 && !slices.Contains(resource.BearerMethods, "header"):
		return fail("the server does not take tokens in the Authorization header, and they are sent nowhere else (RFC 9728 section 2)")
	case resource != nil && bool(resource.CertificateRequired):
		return fail("the server takes tokens that are bound to a client certificate only (RFC 8705), which are not supported")
	}
	return nil
}
