package bench

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/x448/float16"

	"github.com/lowbit-go/lowbit/bf16"
	"github.com/lowbit-go/lowbit/kernels"
	"github.com/lowbit-go/lowbit/quant"
)

// Op is an operation of the table.
type Op struct {
	Name   string
	groups grouping
	begin  func(a *arena, n int) work // n is a multiple of groups.unit
}

// work is an operation with its memory, ready to be done any number of times.
type work struct {
	run           func()
	read, written int // bytes
}

// NewOp is an operation of one's own. Its begin prepares n elements and returns what is to be measured, and how many bytes that must read and write.
func NewOp(name string, begin func(m *Memory, n int) (run func(), read, written int)) Op {
	return Op{name, oneGroup, func(a *arena, n int) work {
		run, read, written := begin(a, n)
		return work{run, read, written}
	}}
}

// Begin prepares n elements, of which all are taken, and returns the operation on them and how many bytes it reads and writes.
func (o Op) Begin(n int) (run func(), bytes int) {
	w := o.begin(new(Memory), n)
	return w.run, w.read + w.written
}

// Elements returns how many of n elements the operation takes: all that are in whole groups.
func (o Op) Elements(n int) int { return n - n%o.groups.unit(n) }

// lookedUp are operations for which avx512vbmi has kernels of its own; all others are avx512's.
var lookedUp = regexp.MustCompile(`^(decode/(e4m3|e5m2fnuz|e2m1)|dequantize/(e4m3|e2m1|u?int4packed|(int[48]|e5m2)/b?f16$))`)

// Impls returns those of some implementations that do the operation each in its own way.
func (o Op) Impls(impls []string) []string {
	return slices.DeleteFunc(slices.Clone(impls), func(impl string) bool {
		return impl == "avx512vbmi" && slices.Contains(impls, "avx512") && !lookedUp.MatchString(o.Name)
	})
}

// Ops returns the operations whose names an expression matches, in the order of the table; nil matches all. Blocks of other than 32 elements,
// lanes, tensors of 16-bit floats, package quant's, searches, histograms, what is stochastic or small, and mx, wide and library are in the table only
// if the expression names them.
func Ops(match *regexp.Regexp) []Op {
	text := ""
	if match != nil {
		text = match.String()
	}
	groupings := []grouping{oneGroup, blocks(32)}
	for _, size := range namedBlockSizes(text) {
		groupings = append(groupings, blocks(size))
	}
	if strings.Contains(text, "lanes") {
		groupings = append(groupings, lanes)
	}
	ops := tensorOps[float32]("", groupings)
	if strings.Contains(text, "f16") {
		ops = append(ops, tensorOps[float16.Float16]("/f16", groupings)...)
		ops = append(ops, tensorOps[bf16.BFloat16]("/bf16", groupings)...)
	}
	ops = slices.Concat(ops, conversionOps(), packOps(), dynamicOps(groupings[1:]), ggufOps(searching.MatchString(text)))
	if strings.Contains(text, "quant/") {
		ops = append(ops, quantOps([]grouping{oneGroup, blocks(32), lanes, axis0, square})...)
	}
	ops = append(ops, namedOps(text)...)
	return slices.DeleteFunc(ops, func(o Op) bool { return match != nil && !match.MatchString(o.Name) })
}

// searching matches the names of blocks of GGUF files whose quantization is a search, in an expression.
var searching = regexp.MustCompile(`_k|iq4|imatrix`)

var blockNames = regexp.MustCompile(`block[(?:]*([0-9|]+)`)

// namedBlockSizes finds the N of blockN and of block(N|N) in an expression, but 32.
func namedBlockSizes(text string) (sizes []int) {
	for _, m := range blockNames.FindAllStringSubmatch(text, -1) {
		for _, digits := range strings.Split(m[1], "|") {
			size, err := strconv.Atoi(digits)
			if err == nil && size > 0 && size != 32 && !slices.Contains(sizes, size) {
				sizes = append(sizes, size)
			}
		}
	}
	return sizes
}

// grouping cuts a slice into groups.
type grouping struct {
	suffix string
	unit   func(n int) int // what the number of elements must be a multiple of, if it is about n
	grid   func(n int) kernels.Grid

	// The same for package quant.
	shape       func(n int) []int
	granularity quant.Granularity
}

var oneGroup = grouping{
	unit:        func(int) int { return 1 },
	grid:        func(n int) kernels.Grid { return kernels.Grid{Rows: 1, Groups: 1, Len: n} },
	shape:       func(n int) []int { return []int{n} },
	granularity: quant.PerTensor(),
}

func blocks(size int) grouping {
	return grouping{
		suffix:      "/block" + strconv.Itoa(size),
		unit:        func(int) int { return size },
		grid:        func(n int) kernels.Grid { return kernels.Grid{Rows: 1, Groups: n / size, Len: size} },
		shape:       func(n int) []int { return []int{n} },
		granularity: quant.PerBlock(0, size),
	}
}

var lanes = grouping{
	suffix:      "/lanes",
	unit:        columns,
	grid:        func(n int) kernels.Grid { return kernels.Grid{Rows: n / columns(n), Groups: columns(n), Len: 1} },
	shape:       func(n int) []int { return []int{n / columns(n), columns(n)} },
	granularity: quant.PerChannel(1),
}

// axis0 and square are for package quant: no grid of the kernels is all of them.
var (
	axis0 = grouping{
		suffix:      "/axis0",
		unit:        func(n int) int { return 32 * columns(n) },
		shape:       func(n int) []int { return []int{n / columns(n), columns(n)} },
		granularity: quant.PerBlock(0, 32),
	}
	square = grouping{
		suffix:      "/square",
		unit:        axis0.unit,
		shape:       axis0.shape,
		granularity: quant.PerBlocks(32, 32),
	}
)

// columns is how wide a matrix is.
func columns(n int) int { return max(1, min(n, 1024)) }
