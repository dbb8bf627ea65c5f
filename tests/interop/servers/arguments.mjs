// What each authorization server here is started with: a port, and an object of options
// as JSON. `resource` is the server that its tokens are for, `life` how long an access
// token lives, in seconds.
export const port = Number(process.argv[2]);
export const options = JSON.parse(process.argv[3]);
export const issuer = `http://127.0.0.1:${port}`;

// listening says so, and what the issuer is, to the program that started the server.
export const listening = (at = issuer) => console.log("listening", at);

// bearer is the token of an Authorization header.
export const bearer = (header) => (header ?? "").replace(/^(Bearer|DPoP) /i, "");
