package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// newLogger prints what package quant warns of, a line each, in the form of the tool's errors.
func newLogger(w io.Writer) *slog.Logger { return slog.New(&lineHandler{w: w}) }

type lineHandler struct {
	mu sync.Mutex
	w  io.Writer
}

func (h *lineHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

// Handle prints lowbit: warning: message (key value, key value).
func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	var attrs []string
	r.Attrs(func(a slog.Attr) bool {
		value := printable(a.Value.String())
		if a.Key == "tensor" {
			value = fmt.Sprintf("%q", cut(a.Value.String(), mostColumns))
		}
		attrs = append(attrs, a.Key+" "+value)
		return true
	})
	text := r.Message
	if len(attrs) > 0 {
		text += " (" + strings.Join(attrs, ", ") + ")"
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := fmt.Fprintf(h.w, "lowbit: warning: %s\n", text)
	return err
}

// Package quant neither adds attributes to its logger nor groups them.
func (h *lineHandler) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h *lineHandler) WithGroup(string) slog.Handler      { return h }
