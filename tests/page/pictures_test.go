package page

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	devtools "github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// shoot takes the pictures of the documents.
func (s *scene) shoot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	run(t, ctx, chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, devtools.BringToFront, cdp.Empty{})
		return err
	}))
	for _, how := range []struct {
		suffix, scheme string
		width, height  int64
		phone          bool
	}{{"", "light", 1280, 1000, false}, {"-dark", "dark", 1280, 1000, false}, {"-phone", "light", 390, 844, true}} {
		mobile := func(p *emulation.SetDeviceMetricsOverrideParams, _ *emulation.SetTouchEmulationEnabledParams) {
			p.Mobile = how.phone
		}
		run(t, ctx, chromedp.EmulateViewport(how.width, how.height, mobile), media(how.scheme))
		settled, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`new Promise((done) => requestAnimationFrame(() => setTimeout(() => done(true), 400)))`, chromedp.EvalAwaitPromise))
		if err != nil || !settled {
			t.Fatal(settled, err)
		}
		picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join("../../docs/images", name+how.suffix+".png"), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run(t, ctx, chromedp.ResetViewport())
}

// media says which colours the user likes, and that nothing shall move.
func media(scheme string) step {
	return chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	})
}
