package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/lowbit-go/lowbit/checkpoint"
	"github.com/lowbit-go/lowbit/safetensors"
)

// compareCommand is lowbit compare: how the tensors of two checkpoints differ.
type compareCommand struct {
	JSON   bool     `name:"json" help:"Print JSON."`
	Report fileFlag `placeholder:"FILE.html" help:"Write a page with a table, the SQNR by layer and the errors of the worst."`
	A      string   `arg:"" name:"A" help:"File, index or folder to read, the one that is taken as exact."`
	B      string   `arg:"" name:"B" help:"File, index or folder to hold against it."`
}

// Run compares tensor by tensor and piece by piece. What is quantized is compared by its values. Metadata and the order of tensors make no
// difference.
func (c *compareCommand) Run(t *tool) error {
	if err := checkReport(c.Report, c.A, c.B); err != nil {
		return err
	}
	out := comparisonTable(t.stdout)
	if c.JSON {
		out = comparisonJSON(t.stdout)
	}
	a, err := openModel(c.A)
	if err != nil {
		return err
	}
	defer a.close()
	b, err := openModel(c.B)
	if err != nil {
		return err
	}
	defer b.close()
	count, differ, err := t.compare(a, b, nil, c.Report, out)
	if err != nil {
		return err
	}
	if err := out.end(count, differ); err != nil {
		return err
	}
	if differ > 0 {
		return errDiffers
	}
	return nil
}

// compare compares two checkpoints, hands over what it finds, and writes the report that is asked for. Known differences are not looked for.
func (t *tool) compare(a, b *model, known map[string]*difference, to fileFlag, out comparisons) (count, differ int, err error) {
	total := int64(0)
	for _, name := range a.names {
		x, _ := a.find(name)
		if y, ok := b.find(name); ok && x.shape == y.shape && known[name] == nil {
			total += x.bytes + y.bytes
		}
	}
	bar := newProgress(t.stderr, "compare", total, true)
	defer bar.end()
	report := newReport(to, a.path, b.path)
	job := &compareJob{taskGroup: t.newTaskGroup(t.workers), progress: bar, a: a, b: b, errors: report != nil, known: known}
	for i, name := range slices.Concat(a.names, b.names) {
		if _, ok := a.find(name); ok && i >= len(a.names) {
			continue
		}
		bar.name(name)
		r, err := job.compare(name)
		if err != nil {
			return count, differ, err
		}
		report.add(r)
		count++
		if !r.Equal {
			differ++
		}
		if err := out.add(r); err != nil {
			return count, differ, err
		}
	}
	bar.end()
	return count, differ, report.write(to)
}

// comparison is what compare says of a tensor. What cannot be told is nil.
type comparison struct {
	Name    string   `json:"name"`
	A       *operand `json:"a"` // nil if it is not there
	B       *operand `json:"b"`
	Equal   bool     `json:"equal"`               // in every bit
	Differ  *int     `json:"differ,omitempty"`    // elements with other bits
	Worst   *float64 `json:"max_abs_error"`       // of finite elements
	SQNR    *float64 `json:"sqnr_db"`             // nil without noise too
	Cosine  *float64 `json:"cosine"`              //
	Apart   int      `json:"non_finite_mismatch"` // elements of which one is not finite and the other is something else
	numbers bool     // they were compared
	noise   bool     // there is some

	// For a report.
	signal, power float64      // sums of squares, of A's elements and of the differences
	errors        *errorCounts // nil where there are none
}

// operand is a side of a comparison.
type operand struct {
	DType string `json:"dtype"`
	Shape []int  `json:"shape"` // null if its rank is absurd
	NaN   int    `json:"nan"`
	Inf   int    `json:"inf"`
	shape safetensors.Shape
	bytes int64
}

func newOperand(c *comparand) *operand {
	return &operand{DType: c.dtype, Shape: dimsOf(c.shape), shape: c.shape, bytes: c.bytes}
}

// dimsOf are the lengths of the axes, nil if there are absurdly many.
func dimsOf(s safetensors.Shape) []int {
	if s.Rank() > checkpoint.MostAxes {
		return nil
	}
	return s.Dims()
}

// comparisons take what compare says.
type comparisons struct {
	add func(*comparison) error
	end func(count, differ int) error
}

// comparisonTable prints a table.
func comparisonTable(w io.Writer) comparisons {
	list := newTable(w, column{head: "TENSOR", most: 46}, column{head: "DTYPE", most: 24}, column{head: "SHAPE", most: 20}, column{head: "BITS", most: 28},
		column{head: ">MAX ABS ERROR", most: 13}, column{head: ">SQNR", most: 11}, column{head: ">COSINE", most: 9}, column{head: "NOT FINITE", most: 35})
	return comparisons{
		add: func(c *comparison) error {
			list.add(c.cells()...)
			return nil
		},
		end: func(count, differ int) error {
			if err := list.flush(); err != nil {
				return err
			}
			text := "all bits of " + tensorCount(count) + " are equal"
			if differ > 0 {
				text = fmt.Sprintf("%d of %s differ", differ, tensorCount(count))
			}
			_, err := fmt.Fprintf(w, "\n%s\n", text)
			return err
		},
	}
}

// comparisonJSON prints an object, a line for each tensor.
func comparisonJSON(w io.Writer) comparisons {
	before := "{\"tensors\": [\n"
	write := func(text string, value any) error {
		line, err := json.Marshal(value)
		if err == nil {
			_, err = fmt.Fprintf(w, text, line)
		}
		return err
	}
	return comparisons{
		add: func(c *comparison) error {
			defer func() { before = ",\n" }()
			return write(before+"%s", c)
		},
		end: func(count, differ int) error {
			if count == 0 {
				if _, err := io.WriteString(w, before); err != nil {
					return err
				}
			}
			return write("\n], \"summary\": %s}\n", map[string]any{"tensors": count, "differ": differ, "equal": differ == 0})
		},
	}
}

// cells are the comparison's line of the table.
func (c *comparison) cells() []string {
	one := c.A
	if one == nil {
		one = c.B
	}
	dtype, shape := one.DType, one.shape.String()
	bits, worst, sqnr, cosine, odd := "equal", "", "", "", ""
	switch {
	case c.A == nil:
		bits = "only in B"
	case c.B == nil:
		bits = "only in A"
	default:
		if c.A.DType != c.B.DType {
			dtype += ", " + c.B.DType
		}
		if c.A.shape != c.B.shape {
			shape += ", " + c.B.shape.String()
		}
		if !c.Equal {
			bits = "differ"
		}
		if c.Differ != nil && *c.Differ > 0 {
			bits = fmt.Sprintf("%d of %d differ", *c.Differ, c.A.shape.Elements())
		}
		var parts []string
		for _, side := range []struct {
			name string
			*operand
		}{{"A", c.A}, {"B", c.B}} {
			if side.NaN > 0 {
				parts = append(parts, fmt.Sprintf("%s %d NaN", side.name, side.NaN))
			}
			if side.Inf > 0 {
				parts = append(parts, fmt.Sprintf("%s %d Inf", side.name, side.Inf))
			}
		}
		odd = strings.Join(parts, ", ")
	}
	if c.Worst != nil {
		worst = strconv.FormatFloat(*c.Worst, 'g', 6, 64)
	}
	if c.SQNR != nil {
		sqnr = fmt.Sprintf("%.2f dB", *c.SQNR)
	} else if c.numbers && !c.noise {
		sqnr = "inf"
	}
	if c.Cosine != nil {
		cosine = strconv.FormatFloat(*c.Cosine, 'f', 6, 64)
	}
	return []string{printable(c.Name), dtype, shape, bits, worst, sqnr, cosine, odd}
}

func tensorCount(n int) string { return counted(n, "tensor") }

// counted says how many there are.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// compareJob is the command at work.
type compareJob struct {
	*taskGroup
	progress   *progress // counts the bytes of both sides
	a, b       *model
	errors     bool // are counted
	known      map[string]*difference
	workspaces pool[compareWorkspace]
}

// compare compares the tensors of a name.
func (j *compareJob) compare(name string) (*comparison, error) {
	x, inA := j.a.find(name)
	y, inB := j.b.find(name)
	c := &comparison{Name: name}
	if inA {
		c.A = newOperand(x)
	}
	if inB {
		c.B = newOperand(y)
	}
	if !inA || !inB || x.shape != y.shape {
		return c, nil
	}
	d := j.known[name]
	if d == nil {
		var err error
		if d, err = j.measure(x, y); err != nil {
			return nil, err
		}
	}
	if x.plain == y.plain || x.plain == 0 && checkpoint.Quantizable(y.plain) || y.plain == 0 && checkpoint.Quantizable(x.plain) {
		c.Differ, c.Equal = &d.bits, d.bits == 0
	}
	if c.numbers = c.Equal || x.numeric() && y.numeric(); c.numbers {
		c.setNumbers(d)
	}
	return c, nil
}

// setNumbers says what was found out.
func (c *comparison) setNumbers(d *difference) {
	c.A.NaN, c.A.Inf, c.B.NaN, c.B.Inf = d.odd[0].nan, d.odd[0].inf, d.odd[1].nan, d.odd[1].inf
	c.Apart = d.apart
	c.Worst, c.noise = &d.worst, d.noise > 0
	c.signal, c.power, c.errors = d.squares[0], d.noise, d.errors
	if c.noise {
		c.SQNR = ratio(10 * math.Log10(d.squares[0]/d.noise))
	}
	c.Cosine = ratio(max(-1, min(d.product/math.Sqrt(d.squares[0])/math.Sqrt(d.squares[1]), 1)))
	if d.squares[0] > 0 && !c.noise {
		c.Cosine = ratio(1)
	}
}

// ratio is nil if it is no number.
func ratio(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// comparePiece is how many elements are compared at a time: whole runs, and whole bytes in every type. Both sides and what is made of them stay in
// the L2 cache.
const comparePiece = sumRun

// measure compares two tensors of the same shape.
func (j *compareJob) measure(x, y *comparand) (*difference, error) {
	n, piece := int64(x.shape.Elements()), int64(comparePiece)
	if row := int64(rowOf(x.shape)); row > piece && (x.plain == 0 || y.plain == 0) {
		piece = row // a row that is read for several pieces is decoded for each
	}
	m := newMeasurement(int(n), j.errors)
	if err := j.each(n, piece, func(off, n int64) error {
		ws := j.workspaces.get()
		defer j.workspaces.put(ws)
		j.progress.add(int64(float64(x.bytes+y.bytes) * float64(n) / float64(x.shape.Elements())))
		var sides [2]elements
		for i, side := range []*comparand{x, y} {
			var err error
			if sides[i], err = ws.read(i, side, off, n); err != nil {
				return err
			}
		}
		m.add(&ws.measureWorkspace, int(off), int(n), sides)
		return nil
	}); err != nil {
		return nil, err
	}
	return m.difference(), nil
}

// rowOf is the length of a row.
func rowOf(shape safetensors.Shape) int {
	row := 1
	for _, d := range shape.All() {
		row = max(1, d)
	}
	return row
}

// compareWorkspace is the memory of one worker.
type compareWorkspace struct {
	bytes  [2][]byte
	floats [2][]float32
	measureWorkspace
}

// read reads elements of a side.
func (ws *compareWorkspace) read(i int, side *comparand, off, n int64) (elements, error) {
	if side.plain == 0 { // whole rows, of which those at the ends may be needed in part
		row := rowOf(side.shape)
		first, end := int(off)/row, (int(off+n)+row-1)/row
		rows := slices.Grow(ws.floats[i][:0], (end-first)*row)[:(end-first)*row]
		ws.floats[i] = rows
		return elements{floats: rows[int(off)-first*row:][:n]}, side.rows(rows, first)
	}
	bits := int64(side.plain.Bits())
	ws.bytes[i] = slices.Grow(ws.bytes[i][:0], int(n*bits/8))[:n*bits/8]
	return elements{dtype: side.plain, bytes: ws.bytes[i]}, side.raw(ws.bytes[i], off*bits/8)
}

// decibels prints a ratio of signal to noise: inf without noise.
func decibels(signal, noise float64) string {
	if noise == 0 {
		return "inf"
	}
	return fmt.Sprintf("%.2f dB", 10*math.Log10(signal/noise))
}
