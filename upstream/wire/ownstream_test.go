package wire

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// A stream that was missing and is now asked for without an answer is not missing any more:
// a server may answer when it has something to say. It is told once (fault D1).
func TestAStreamThatIsAwaitedIsNotMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		var told []bool
		asked := 0
		s := &ownStream{
			hold: func(ctx context.Context, _ func()) (time.Duration, error) {
				if asked++; asked == 1 {
					return 0, &StatusError{Status: http.StatusBadRequest}
				}
				<-ctx.Done()
				return 0, ctx.Err()
			},
			probe: func(context.Context) error { return errors.New("nobody asks for it") },
			told:  func(err error, _ time.Time) { told = append(told, err == nil) },
		}
		ended := make(chan error, 1)
		go func() { ended <- s.keep(ctx) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(told) != 2 || told[0] || !told[1] || asked != 2 {
			t.Errorf("it was asked for %d times and told %v, want missing and then there", asked, told)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
