package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/lowbit-go/lowbit/checkpoint"
)

// writing is a plan that is carried out.
type writing struct {
	*tool
	what    string
	out     string
	plan    *checkpoint.Plan
	folder  bool
	restart bool
	watch   *watch // or nil
}

func (t *tool) newWriting(what, out string, plan *checkpoint.Plan) *writing {
	return &writing{tool: t, what: what, out: out, plan: plan}
}

// run carries the plan out, says what is to be said afterwards, and prints the closing line.
func (w *writing) run(after func()) error {
	if w.out == "" {
		return errors.New("the name of the file to write is empty")
	}
	begun := time.Now()
	bar := newProgress(w.stderr, w.what, w.plan.Before+w.plan.After, true)
	defer bar.end()
	moved := w.moved(bar != nil)
	ctx, stop := context.WithCancel(w.ctx)
	defer stop()
	left := w.plan.After // what an earlier run has not finished
	options := checkpoint.WriteOptions{Workers: min(w.workers, int(memoryLimit/pieceSize)), Restart: w.restart, Begin: func(bytes int64) {
		left = bytes
		bar.of(int64(float64(bytes) * perWritten(w.plan.Before, w.plan.After)))
	}, Start: bar.name, Progress: func(tensor string, bytes int64) {
		if w.ctx.Err() != nil {
			stop()
		}
		bar.add(moved(tensor, bytes))
	}}
	if w.watch != nil {
		options.Watch, options.Note, options.Noted = w.watch.safetensors, w.watch.note, w.watch.noted
	}
	closing := closingPlace(w.tool, w.out)
	write := w.plan.WriteFile
	if w.folder {
		write = w.plan.WriteFolder
	}
	if err := write(ctx, w.out, options); err != nil {
		if w.ctx.Err() != nil {
			return errInterrupted
		}
		return err
	}
	bar.end()
	after()
	closingLine(closing, w.what, w.plan.Before, w.plan.After, left == w.plan.After, time.Since(begun))
	return nil
}

// moved returns what counts the bytes that are read and written for so many written ones of a tensor: its parts are copied under names of their own, all
// else has the plain one. Without a bar that shows it nothing is counted.
func (w *writing) moved(shown bool) func(tensor string, written int64) int64 {
	if !shown {
		return func(string, int64) int64 { return 0 }
	}
	per := map[string]float64{}
	for _, c := range w.plan.Changes {
		if c.Converted {
			per[c.Tensor.Name()] = perWritten(c.Before, c.After)
		}
	}
	return func(tensor string, written int64) int64 {
		if n, ok := per[tensor]; ok {
			return int64(float64(written) * n)
		}
		return 2 * written
	}
}

// perWritten is how many bytes are read and written for each that is written.
func perWritten(before, after int64) float64 {
	return float64(before+after) / float64(max(1, after))
}

// closingPlace is where the closing line goes: standard output, unless it is OUT, or OUT may end up in it as a device does.
func closingPlace(t *tool, out string) io.Writer {
	info, err := os.Stat(out)
	if err != nil || info.IsDir() {
		return t.stdout.w // OUT is new
	}
	if !info.Mode().IsRegular() {
		return t.stderr
	}
	if f, ok := t.stdout.w.(*os.File); ok {
		if stdout, err := f.Stat(); err == nil && os.SameFile(stdout, info) {
			return t.stderr
		}
	}
	return t.stdout.w
}

// closingLine says what was done, and how fast if all was done now. OUT is there: that nobody hears of it is no failure.
func closingLine(w io.Writer, what string, before, after int64, now bool, took time.Duration) {
	seconds, rate := took.Seconds(), ""
	if bytes := before + after; now && bytes > 0 {
		rate = fmt.Sprintf(", %.3g GB/s read and written", float64(bytes)/1e9/seconds)
	}
	fmt.Fprintf(w, "%s: %d bytes to %d in %.3g s%s\n", what, before, after, seconds, rate)
}
