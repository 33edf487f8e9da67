package main

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// table is written line by line, with its columns aligned, so that it needs no more memory for a million lines than for a thousand. No line
// is longer than mostColumns.
type table struct {
	columns []column
	w       *bufio.Writer
	held    [][]string // the first lines, until the widths are known
	flowing bool
}

// column is one of a table: a head that begins with > aligns it to the right.
type column struct {
	head string
	most int // columns of the screen that a cell may have
	wide int // columns that it has
}

const (
	mostColumns = 200
	gap         = "  "
	mostHeld    = 1000 // lines that decide how wide columns are
)

// newTable begins a table.
func newTable(w io.Writer, columns ...column) *table {
	t := &table{columns: columns, w: bufio.NewWriter(w)}
	head := make([]string, len(columns))
	for i, c := range columns {
		head[i] = strings.TrimPrefix(c.head, ">")
	}
	t.add(head...)
	return t
}

// add adds a line. Cells that are too long are cut in the middle.
func (t *table) add(cells ...string) {
	for i, c := range cells {
		cells[i] = cut(c, t.columns[i].most)
	}
	if t.flowing {
		t.write(cells)
		return
	}
	if t.held = append(t.held, cells); len(t.held) > mostHeld {
		t.flow()
	}
}

// flow writes what was held.
func (t *table) flow() {
	for _, cells := range t.held {
		for i, cell := range cells {
			t.columns[i].wide = max(t.columns[i].wide, columnsOf(cell))
		}
	}
	for _, cells := range t.held {
		t.write(cells)
	}
	t.held, t.flowing = nil, true
}

func (t *table) write(cells []string) {
	var line strings.Builder
	for i, cell := range cells {
		c := t.columns[i]
		room := strings.Repeat(" ", max(0, c.wide-columnsOf(cell)))
		if strings.HasPrefix(c.head, ">") {
			cell = room + cell
		} else {
			cell += room
		}
		line.WriteString(cell + gap)
	}
	t.w.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// flush writes what was added so far, for who is waiting.
func (t *table) flush() error {
	if !t.flowing {
		t.flow()
	}
	return t.w.Flush()
}

// cut cuts a text that takes more than so many columns in its middle.
func cut(s string, most int) string {
	if len(s) <= most || columnsOf(s) <= most {
		return s
	}
	const mark = "..."
	keep := most - len(mark)
	begin, end := 0, len(s)
	for left := keep - keep/2; ; {
		r, n := utf8.DecodeRuneInString(s[begin:])
		if left -= runeColumns(r); left < 0 {
			break
		}
		begin += n
	}
	for left, at := keep/2, end; ; {
		r, n := utf8.DecodeLastRuneInString(s[:at])
		wide := runeColumns(r)
		if left -= wide; left < 0 {
			break
		}
		if at -= n; wide > 0 { // not a mark without its character
			end = at
		}
	}
	return s[:begin] + mark + s[end:]
}

// columnsOf is how many columns of a screen a text takes.
func columnsOf(s string) (n int) {
	for _, r := range s {
		n += runeColumns(r)
	}
	return n
}

// runeColumns is how many columns a character takes: two if it is of an East Asian script or a picture, none if it goes with the one before.
func runeColumns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0xff61 && r <= 0xffdc: // half as wide as others of their scripts
		return 1
	case r >= 0x3000 && r <= 0x303f, r >= 0xff01 && r <= 0xff60, r >= 0x1f300 && r <= 0x1faff, unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana):
		return 2
	}
	return 1
}

// printable makes a name from a file, or a file's, fit for a line: quoted where it would break it, and cut where it is absurdly long.
func printable(name string) string {
	name = cut(name, mostColumns)
	if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) || r == utf8.RuneError }) {
		return strconv.Quote(name)
	}
	return name
}

// shapeText prints a shape as [2,3].
func shapeText(shape []int) string {
	text := make([]string, len(shape))
	for i, d := range shape {
		text[i] = strconv.Itoa(d)
	}
	return "[" + strings.Join(text, ",") + "]"
}

// byteText prints a number of bytes in the unit that suits it.
func byteText(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n), 0
	for ; v >= 999.5 && unit < 6; unit++ {
		v /= 1000
	}
	return fmt.Sprintf("%.3g %cB", v, " kMGTPE"[unit])
}
