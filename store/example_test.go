package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"mcpproxy/credential"
	"mcpproxy/store"
)

// A token is kept over restarts, under the generation that it was stored with; whoever
// knows an older one only is told.
func Example() {
	ctx := context.Background()
	directory, err := os.MkdirTemp("", "store")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(directory)
	path := filepath.Join(directory, "store.db")
	o := store.Options{Keys: store.FileKeys(path + ".key")}

	s, err := store.Open(ctx, path, o)
	if err != nil {
		panic(err)
	}
	token := credential.Token{Generation: 1, Access: credential.NewSecret("secret"), Type: "Bearer"}
	wanted := func() bool { return true }
	fmt.Println(s.SaveToken("github", token, 0, wanted))
	fmt.Println(errors.Is(s.SaveToken("github", token, 0, wanted), store.ErrGeneration))
	_, err = store.Open(ctx, path, o)
	fmt.Println(errors.Is(err, store.ErrLocked))
	fmt.Println(s.Close())

	s, err = store.Open(ctx, path, o)
	if err != nil {
		panic(err)
	}
	defer s.Close()
	kept, err := s.Load("github")
	fmt.Println(kept.Token.Generation, kept.Token.Access, err)
	// Output:
	// <nil>
	// true
	// true
	// <nil>
	// 1 [redacted] <nil>
}
