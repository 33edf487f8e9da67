package main

import (
	"bufio"
	"fmt"
	"image/color"
	"math"
	"os"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/lowbit-go/lowbit/bench"
)

// style is how a line looks, and what the legend says of it.
type style struct {
	impls  []string
	legend string
	color  color.Color
	width  vg.Length
	dashes []vg.Length
}

// copied is the implementation that stands for the copies.
const copied = "copy"

// styles are in the order of the legend; what stands first is drawn last, above the others. The colours are told apart by those who see
// few, too.
var styles = []style{
	{[]string{copied}, "a copy of the same bytes", color.Gray{0x30}, 1.4, []vg.Length{5, 3}},
	{[]string{"avx512"}, "Lowbit, AVX-512", color.RGBA{0x00, 0x45, 0x8c, 0xff}, 2.4, nil},
	{[]string{"avx2"}, "Lowbit, AVX2", color.RGBA{0x56, 0xb4, 0xe9, 0xff}, 2.4, nil},
	{[]string{"neon"}, "Lowbit, NEON", color.RGBA{0x00, 0x45, 0x8c, 0xff}, 2.4, nil},
	{[]string{"generic"}, "Lowbit, portable", color.RGBA{0x00, 0x9e, 0x73, 0xff}, 1.6, nil},
	{[]string{simd}, "tphakala/simd", color.RGBA{0xd5, 0x5e, 0x00, 0xff}, 1.8, nil},
	{[]string{x448, d4l3k, loop}, "one at a time: x448, d4l3k, a loop", color.RGBA{0xcc, 0x79, 0xa7, 0xff}, 1.8, nil},
}

// The size of the picture.
const (
	columns    = 3
	tileWidth  = 3.6 * vg.Inch
	tileHeight = 2.7 * vg.Inch
	dpi        = 144
)

// drawing writes a picture with a plot for each operation, GB/s against elements, and one legend for all of them.
func drawing(name string, results []bench.Result) (err error) {
	lines := curves(results)
	var ops []string
	for _, r := range results {
		if !slices.Contains(ops, r.Op) {
			ops = append(ops, r.Op)
		}
	}
	if len(ops) == 0 {
		return fmt.Errorf("there are no results to draw")
	}
	low, high := math.Inf(1), 0.
	for _, line := range lines {
		for _, p := range line {
			low, high = min(low, p.Y), max(high, p.Y)
		}
	}
	rows := (len(ops) + columns) / columns // with a place for the legend
	tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: 14, PadY: 10, PadTop: 8, PadBottom: 6, PadLeft: 6, PadRight: 14}
	picture := vgimg.NewWith(vgimg.UseWH(columns*tileWidth, vg.Length(rows)*tileHeight), vgimg.UseDPI(dpi))
	canvas := draw.New(picture)
	plots := make([][]*plot.Plot, rows)
	legend := newPlot().Legend
	for i := range rows * columns {
		row := i / columns
		if i >= len(ops) {
			plots[row] = append(plots[row], nil)
			continue
		}
		p := newPlot()
		p.Title.Text = ops[i]
		p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.TickerFunc(sizes)
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(speeds)
		if i >= len(ops)-columns {
			p.X.Label.Text = "elements"
		}
		if i%columns == 0 {
			p.Y.Label.Text = "GB/s"
		}
		p.Add(grid())
		for _, s := range slices.Backward(styles) {
			for _, impl := range s.impls {
				if points := lines[[2]string{ops[i], impl}]; len(points) > 0 {
					p.Add(s.line(points))
				}
			}
		}
		p.Y.Min, p.Y.Max = low*.8, high*1.25 // the same for all
		plots[row] = append(plots[row], p)
	}
	for _, s := range styles {
		for key := range lines {
			if slices.Contains(s.impls, key[1]) {
				legend.Add(s.legend, s.line(nil))
				break
			}
		}
	}
	for row, canvases := range plot.Align(plots, tiles, canvas) {
		for column, c := range canvases {
			if p := plots[row][column]; p != nil {
				p.Draw(c)
			}
		}
	}
	corner := tiles.At(canvas, columns-1, rows-1)
	legend.Top, legend.Left = true, true
	legend.Draw(draw.Crop(corner, 30, 0, 0, -20))
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriter(file)
	_, err = vgimg.PngCanvas{Canvas: picture}.WriteTo(buffered)
	return firstOf(err, buffered.Flush(), file.Close())
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// curves are the results' points by operation and implementation, in the order of their sizes. The copy's are the best of those that were measured
// beside Lowbit's kernels.
func curves(results []bench.Result) map[[2]string]plotter.XYs {
	lines := map[[2]string]plotter.XYs{}
	best := map[string]map[int]float64{}
	for _, r := range results {
		key := [2]string{r.Op, r.Impl}
		lines[key] = append(lines[key], plotter.XY{X: float64(r.N), Y: r.GBPerS})
		if best[r.Op] == nil {
			best[r.Op] = map[int]float64{}
		}
		best[r.Op][r.N] = max(best[r.Op][r.N], r.GBPerS*r.CopyRatio)
	}
	for op, copies := range best {
		for n, speed := range copies {
			key := [2]string{op, copied}
			lines[key] = append(lines[key], plotter.XY{X: float64(n), Y: speed})
		}
	}
	for _, points := range lines {
		slices.SortFunc(points, func(a, b plotter.XY) int { return int(a.X - b.X) })
	}
	return lines
}

func newPlot() *plot.Plot {
	p := plot.New()
	sans := font.Font{Typeface: "Liberation", Variant: "Sans"}
	for _, f := range []*font.Font{
		&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font, &p.Legend.TextStyle.Font,
	} {
		size := f.Size
		*f = sans
		f.Size = size
	}
	p.Title.TextStyle.Font.Size, p.Title.Padding = 11, 4
	p.Legend.TextStyle.Font.Size, p.Legend.Padding, p.Legend.ThumbnailWidth = 10, 6, 26
	p.X.Tick.Label.Font.Size, p.Y.Tick.Label.Font.Size = 8, 8
	p.X.Label.TextStyle.Font.Size, p.Y.Label.TextStyle.Font.Size = 9, 9
	p.X.Padding, p.Y.Padding = 0, 0
	return p
}

func (s style) line(points plotter.XYs) *plotter.Line {
	return &plotter.Line{XYs: points, LineStyle: draw.LineStyle{Color: s.color, Width: s.width, Dashes: s.dashes}}
}

func grid() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical.Color, g.Horizontal.Color = color.Gray{0xe0}, color.Gray{0xe0}
	return g
}

// sizes marks every second power of two: 256, 1Ki, 4Ki.
func sizes(low, high float64) (ticks []plot.Tick) {
	for p := 0; p < 62; p += 2 {
		if n := 1 << p; float64(n) >= low && float64(n) <= high {
			ticks = append(ticks, plot.Tick{Value: float64(n), Label: power(n)})
		}
	}
	return ticks
}

// speeds marks 1, 3, 10, 30 and so on.
func speeds(low, high float64) (ticks []plot.Tick) {
	for decade := .01; decade <= high; decade *= 10 {
		for _, v := range []float64{decade, 3 * decade} {
			if v >= low && v <= high {
				ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.3g", v)})
			}
		}
	}
	return ticks
}
