package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	patience = time.Second            // how long work takes before it shows its progress
	tick     = 200 * time.Millisecond // how often it shows it
)

// progress shows how far long work is, on a terminal. A nil progress shows nothing.
type progress struct {
	console *console
	what    string
	bytes   bool // that is what steps are
	steps   atomic.Int64
	begun   time.Time
	done    atomic.Int64
	at      atomic.Pointer[string] // the tensor at hand
	ending  chan struct{}
	once    sync.Once
	ended   sync.WaitGroup
}

// newProgress begins to show work of so many steps, or bytes.
func newProgress(c *console, what string, steps int64, bytes bool) *progress {
	if c == nil || c.columns == nil {
		return nil
	}
	p := &progress{console: c, what: what, bytes: bytes, begun: time.Now(), ending: make(chan struct{})}
	p.steps.Store(steps)
	p.ended.Go(p.run)
	return p
}

func (p *progress) run() {
	wait := time.NewTimer(patience)
	defer wait.Stop()
	for {
		select {
		case <-p.ending:
			p.console.show("")
			return
		case <-wait.C:
			p.console.show(p.text(time.Since(p.begun)))
			wait.Reset(tick)
		}
	}
}

// text is what is shown after so long.
func (p *progress) text(after time.Duration) string {
	steps := p.steps.Load()
	done := min(p.done.Load(), steps)
	text := fmt.Sprintf("%s %d of %d", p.what, done, steps)
	if p.bytes {
		text = fmt.Sprintf("%s %s of %s", p.what, byteText(done), byteText(steps))
	}
	if steps > 0 {
		text += fmt.Sprintf(", %d %%", int(100*float64(done)/float64(steps)))
	}
	if p.bytes && done > 0 {
		text += fmt.Sprintf(", %.2f GB/s", float64(done)/1e9/after.Seconds())
	}
	if done > 0 && done < steps {
		left := time.Duration(float64(after) * float64(steps-done) / float64(done))
		text += fmt.Sprintf(", %v left", max(left, time.Second).Round(time.Second))
	}
	if at := p.at.Load(); at != nil {
		text += ", " + *at
	}
	return text
}

// of says how many steps there are, where less is to be done than it seemed.
func (p *progress) of(steps int64) {
	if p != nil {
		p.steps.Store(steps)
	}
}

// add says that so many steps more are done.
func (p *progress) add(steps int64) {
	if p != nil {
		p.done.Add(steps)
	}
}

// name says what is at hand.
func (p *progress) name(tensor string) {
	if p != nil {
		text := printable(tensor)
		p.at.Store(&text)
	}
}

// end takes the line off the screen.
func (p *progress) end() {
	if p == nil {
		return
	}
	p.once.Do(func() { close(p.ending) })
	p.ended.Wait()
}
