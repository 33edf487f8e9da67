package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// table is printed with its columns aligned, numbers to the right.
type table struct {
	head  []string // a column whose head begins with > is aligned to the right
	lines [][]string
}

func (t *table) add(cells ...string) { t.lines = append(t.lines, cells) }

// print prints the table, two spaces between its columns.
func (t *table) print(w io.Writer) error {
	head := make([]string, len(t.head))
	width := make([]int, len(t.head))
	for i, h := range t.head {
		head[i] = strings.TrimPrefix(h, ">")
	}
	lines := slices.Concat([][]string{head}, t.lines)
	for _, cells := range lines {
		for i, cell := range cells {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for _, cells := range lines {
		var line strings.Builder
		for i, cell := range cells {
			room := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if strings.HasPrefix(t.head[i], ">") {
				cell = room + cell
			} else {
				cell += room
			}
			line.WriteString(cell + "  ")
		}
		text.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// printable quotes a name from a file where it would break the line.
func printable(name string) string {
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
