package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// console is where the tool says what is not its result: standard error. The line that shows progress is always its last: it gives way to
// whatever else is written.
type console struct {
	w       io.Writer
	columns func() int // of the terminal; nil if it is none
	mu      sync.Mutex
	line    string // that is shown
}

func newConsole(w io.Writer) *console {
	c := &console{w: w}
	if f, ok := w.(*os.File); ok && columns(f) > 0 {
		c.columns = func() int { return columns(f) }
	}
	return c
}

// Write writes above the line.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	line := c.line
	c.draw("")
	n, err := c.w.Write(p)
	c.draw(line)
	return n, err
}

// show puts another text into the line; the empty one takes it away.
func (c *console) show(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draw(line)
}

func (c *console) draw(line string) {
	if c.columns == nil || line == c.line {
		return
	}
	if line != "" {
		line = cut(line, max(10, c.columns()-1))
	}
	var b strings.Builder
	b.WriteString("\r" + line)
	if n := len([]rune(c.line)) - len([]rune(line)); n > 0 {
		b.WriteString(strings.Repeat(" ", n) + "\r" + line)
	}
	if line == "" {
		b.WriteString("\r")
	}
	fmt.Fprint(c.w, b.String())
	c.line = line
}
