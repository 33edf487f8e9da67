package main

import (
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// patience is how long work takes before it shows its progress.
const patience = time.Second

// progress shows how far long work is, on a terminal. A nil progress shows nothing.
type progress struct {
	done  atomic.Int64
	bar   *progressbar.ProgressBar
	timer *time.Timer
	shown chan struct{} // closed when the bar may be drawn
}

// newProgress begins a bar of so many steps, or bytes.
func newProgress(w io.Writer, what string, steps int64, bytes bool) *progress {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return nil
	}
	p := &progress{shown: make(chan struct{})}
	p.bar = progressbar.NewOptions64(steps,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionSetRenderBlankState(false),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)
	p.timer = time.AfterFunc(patience, func() { close(p.shown) })
	return p
}

// add says that so many steps more are done.
func (p *progress) add(steps int64) {
	if p == nil {
		return
	}
	done := p.done.Add(steps)
	select {
	case <-p.shown:
		p.bar.Set64(done)
	default:
	}
}

// end takes the bar off the screen.
func (p *progress) end() {
	if p == nil {
		return
	}
	p.timer.Stop()
	select {
	case <-p.shown:
		p.bar.Clear()
	default:
	}
}
