package main

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lowbit-go/lowbit/internal/outfile"
)

// report collects what compare says, for a page that needs nothing but itself. A nil report collects nothing.
type report struct {
	a, b  string
	all   []*comparison
	worst []*comparison // the errorsShown with the least SQNR, that one first
}

// errorsShown is how many tensors' errors a report shows.
const errorsShown = 10

// checkReport refuses a place for a report that is one of the files at hand, or where no file can be made.
func checkReport(report fileFlag, others ...string) error {
	if report == "" {
		return nil
	}
	for _, other := range others {
		if sameFile(string(report), other) {
			return usagef("--report: is %s, want another file", other)
		}
	}
	folder := filepath.Dir(string(report))
	for _, other := range others {
		if _, err := os.Stat(folder); err != nil && sameFile(folder, other) {
			return nil // OUT, which is still to come
		}
	}
	return checkPlace(string(report))
}

// newReport begins the report that a flag asks for.
func newReport(to fileFlag, a, b string) *report {
	if to == "" {
		return nil
	}
	return &report{a: a, b: b}
}

// add takes in a tensor. Of most the distribution of the error is dropped.
func (r *report) add(c *comparison) {
	if r == nil {
		return
	}
	r.all = append(r.all, c)
	if c.SQNR == nil {
		c.errors = nil
		return
	}
	at, _ := slices.BinarySearchFunc(r.worst, c, func(x, y *comparison) int { return cmp.Compare(*x.SQNR, *y.SQNR) })
	r.worst = slices.Insert(r.worst, at, c)
	if len(r.worst) > errorsShown {
		r.worst[errorsShown].errors = nil
		r.worst = r.worst[:errorsShown]
	}
}

//go:embed report.html
var reportHTML string

var reportPage = template.Must(template.New("report").Parse(reportHTML))

// page is what the page's template is given.
type page struct {
	A, B, Says, Version string
	Facts               []fact
	Plot                *plot
	Worst               []errorPlot
	Columns             []reportColumn
	Rows                [][]cell
}

type fact struct{ Name, Value string }

type reportColumn struct {
	Name   string
	Number bool
}

// cell is a cell of the table, sorted by its key if it has one, else by its text.
type cell struct {
	Text, Key string
	Number    bool
}

// write writes the page, whole or not at all.
func (r *report) write(path fileFlag) error {
	if r == nil {
		return nil
	}
	var text bytes.Buffer
	if err := reportPage.Execute(&text, r.page()); err != nil {
		return err
	}
	f, err := outfile.Create(string(path), "report")
	if err == nil {
		if _, err = f.WriteAt(text.Bytes(), 0); err == nil {
			err = f.Seal()
		}
		if err != nil {
			f.Discard()
		} else {
			err = f.Publish()
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, withoutPath(err))
	}
	return nil
}

func (r *report) page() page {
	p := page{A: printable(r.a), B: printable(r.b), Version: version(), Plot: plotLayers(r.all)}
	differ, noisy := 0, 0
	var bytes [2]int64
	var weights int
	var signal, noise float64
	for _, c := range r.all {
		if !c.Equal {
			differ++
		}
		for i, side := range []*operand{c.A, c.B} {
			if side != nil {
				bytes[i] += side.bytes
			}
		}
		if c.B != nil {
			weights += c.B.shape.Elements()
		}
		if c.SQNR != nil {
			noisy++
			signal, noise = signal+c.signal, noise+c.power
		}
		p.Rows = append(p.Rows, c.reportRow())
	}
	p.Says = fmt.Sprintf("%d of %s differ.", differ, tensorCount(len(r.all)))
	p.Facts = []fact{{"Tensors", strconv.Itoa(len(r.all))}, {"Bytes of A", byteText(bytes[0])}, {"Bytes of B", byteText(bytes[1])},
		{"Bits per weight of B", strconv.FormatFloat(8*float64(bytes[1])/float64(max(1, weights)), 'f', 3, 64)}}
	if noisy > 0 {
		p.Facts = append(p.Facts, fact{"SQNR of what differs", decibels(signal, noise)})
	}
	for _, c := range r.worst {
		p.Worst = append(p.Worst, plotErrors(c))
	}
	for _, name := range []string{"Tensor", "Type", "Shape", "Bits", "#Largest error", "#SQNR, dB", "#Cosine", "Not finite", "#Bytes of A", "#Bytes of B", "#Bits per weight"} {
		text, number := strings.CutPrefix(name, "#")
		p.Columns = append(p.Columns, reportColumn{text, number})
	}
	return p
}

// reportRow is a tensor's line of the table.
func (c *comparison) reportRow() []cell {
	texts := c.cells()
	row := []cell{{Text: texts[0]}, {Text: texts[1]}, {Text: texts[2]}, {Text: texts[3]}}
	number := func(text string, x *float64) cell { return cell{Text: text, Key: keyOf(x), Number: true} }
	sqnr := number(strings.TrimSuffix(texts[5], " dB"), c.SQNR)
	if texts[5] == "inf" {
		sqnr.Key = "1e9"
	}
	row = append(row, number(texts[4], c.Worst), sqnr, number(texts[6], c.Cosine), cell{Text: texts[7]})
	for _, side := range []*operand{c.A, c.B} {
		if side == nil {
			row = append(row, cell{Number: true})
			continue
		}
		bytes := float64(side.bytes)
		row = append(row, number(strconv.FormatInt(side.bytes, 10), &bytes))
	}
	if c.B == nil {
		return append(row, cell{Number: true})
	}
	bits := 8 * float64(c.B.bytes) / float64(max(1, c.B.shape.Elements()))
	return append(row, number(strconv.FormatFloat(bits, 'f', 3, 64), &bits))
}

// keyOf is a number as the page's script reads it.
func keyOf(x *float64) string {
	if x == nil {
		return ""
	}
	return strconv.FormatFloat(*x, 'g', -1, 64)
}

// plot is the plot of SQNR by layer. It is drawn here: gonum.org/v1/plot, which could, has nine modules, adds 9 s to a first build on two cores, and
// makes the program half as large again.
type plot struct {
	Width, Height int
	Rules         []ruler
	Lines         []line
}

// ruler is a line of the grid, with its text.
type ruler struct {
	X1, Y1, X2, Y2, TextX, TextY float64
	Anchor, Text                 string
}

// line is that of a kind of tensors.
type line struct {
	Kind, Dash, Points string
	Color              int
	Dots               []dot
}

type dot struct {
	X, Y  float64
	Title string
}

// The plot's frame, and how many colors the page has.
const (
	plotWidth, plotHeight                  = 960, 360
	plotLeft, plotRight, plotTop, plotFoot = 40, 950, 12, 330
	plotColors                             = 8
)

// leastSQNRs is how many dB the plot has at least, so that layers that are alike look so.
const leastSQNRs = 1.

// layerNumber is the number of the layer in a tensor's name: the first that is a part of its own.
var layerNumber = regexp.MustCompile(`(^|\.)(\d+)(\.|$)`)

// plotLayers plots the SQNR of tensors that have a layer in their names, a line for each kind of them. It is nil if there are none.
func plotLayers(all []*comparison) *plot {
	type point struct {
		layer int
		sqnr  float64
		name  string
	}
	kinds := map[string][]point{}
	first, last := math.MaxInt, 0
	low, high := math.Inf(1), math.Inf(-1)
	for _, c := range all {
		at := layerNumber.FindStringSubmatchIndex(c.Name)
		if at == nil || c.SQNR == nil {
			continue
		}
		layer, err := strconv.Atoi(c.Name[at[4]:at[5]])
		if err != nil || layer > 1e6 {
			continue
		}
		kind := printable(cut(strings.TrimSuffix(c.Name[:at[4]]+"*"+c.Name[at[5]:], ".weight"), 80))
		kinds[kind] = append(kinds[kind], point{layer, *c.SQNR, printable(c.Name)})
		first, last = min(first, layer), max(last, layer)
		low, high = min(low, *c.SQNR), max(high, *c.SQNR)
	}
	if len(kinds) == 0 {
		return nil
	}
	if more := (leastSQNRs - (high - low)) / 2; more > 0 {
		low, high = low-more, high+more
	}
	step := niceStep((high - low) / 5)
	low, high = math.Floor(low/step)*step, math.Ceil(high/step)*step
	x := func(layer int) float64 {
		return tenths(plotLeft + 10 + (plotRight-plotLeft-20)*float64(layer-first)/float64(max(1, last-first)))
	}
	y := func(sqnr float64) float64 { return tenths(plotFoot - (plotFoot-plotTop)*(sqnr-low)/(high-low)) }
	p := &plot{Width: plotWidth, Height: plotHeight}
	for i := range int(math.Round((high-low)/step)) + 1 {
		v := low + float64(i)*step
		p.Rules = append(p.Rules, ruler{plotLeft, y(v), plotRight, y(v), plotLeft - 6, y(v) + 4, "end", strconv.FormatFloat(v, 'g', 6, 64)})
	}
	for layer, step := first, int(max(1, niceStep(float64(last-first)/12))); layer <= last; layer += step {
		p.Rules = append(p.Rules, ruler{x(layer), plotFoot, x(layer), plotFoot + 5, x(layer), plotFoot + 20, "middle", strconv.Itoa(layer)})
	}
	for i, kind := range slices.Sorted(maps.Keys(kinds)) {
		l := line{Kind: kind, Color: i % plotColors, Dash: []string{"none", "7 4", "2 4"}[i/plotColors%3]}
		points := kinds[kind]
		slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.layer, b.layer) })
		var text []string
		for _, q := range points {
			text = append(text, fmt.Sprintf("%g,%g", x(q.layer), y(q.sqnr)))
			l.Dots = append(l.Dots, dot{x(q.layer), y(q.sqnr), fmt.Sprintf("%s: %.2f dB", q.name, q.sqnr)})
		}
		l.Points = strings.Join(text, " ")
		p.Lines = append(p.Lines, l)
	}
	return p
}

// niceStep is the least of 1, 2, 5, 10, ... and their tenths and hundredths that is not below a step.
func niceStep(least float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10(max(least, 0.01))))
	for _, times := range []float64{1, 2, 5} {
		if step*times >= least {
			return step * times
		}
	}
	return 10 * step
}

// tenths rounds a coordinate.
func tenths(x float64) float64 { return math.Round(10*x) / 10 }

// errorPlot shows the distribution of a tensor's errors. The bars are as high as the logarithms of their counts: where a few errors are far larger than
// the rest, all the rest falls into a few bins.
type errorPlot struct {
	Name, SQNR, Largest, End string
	Parts                    []string // of the name, between which a line can end
	Bars                     []bar
}

type bar struct{ X, Y, Width, Height float64 }

func plotErrors(c *comparison) errorPlot {
	const height = 76
	p := errorPlot{Name: printable(c.Name), SQNR: fmt.Sprintf("%.2f dB", *c.SQNR), Largest: strconv.FormatFloat(*c.Worst, 'g', 4, 64)}
	p.Parts = strings.SplitAfter(p.Name, ".")
	e := c.errors
	p.End = strconv.FormatFloat(math.Ldexp(1, e.exponent), 'g', 3, 64)
	most := math.Log1p(float64(max(1, slices.Max(e.counts[:]))))
	for i, n := range e.counts {
		if n > 0 {
			h := tenths(max(1, height*math.Log1p(float64(n))/most))
			p.Bars = append(p.Bars, bar{float64(i) * 256 / errorBins, height - h, 256/errorBins - 0.5, h})
		}
	}
	return p
}
