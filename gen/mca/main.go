// Command mca predicts how fast the kernels that matter are on machines that are
// not at hand: it has llvm-mca simulate their inner loops.
//
//	go -C gen run ./mca                              # prints the table
//	go -C gen run ./mca -update ../bench/README.md   # writes it between two marks
//	go -C gen run ./mca -loop MinMax -target NEON    # prints what is simulated
//
// Go's assembler makes the code of internal/asm's files and lists where each
// line has become which bytes; llvm-mc reads these, as Go's disassembler knows
// neither AVX-512 nor most of NEON, and llvm-mca is given what one turn of the
// loop executes. It assumes that all memory is in L1 and nothing is mispredicted.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
)

// target is an implementation, and the processors on which it is simulated.
type target struct {
	suffix  string // of its functions' names
	file    string // and of its files' names
	arch    string
	triple  string
	tile    int // elements in a turn of a loop
	block32 path
	cpus    []cpu
}

type cpu struct{ name, says string }

var targets = []target{
	{"AVX2", "avx2_amd64", "amd64", "x86_64", 32, short, zens},
	{"AVX512", "avx512_amd64", "amd64", "x86_64", 64, short, zens},
	{"NEON", "neon_arm64", "arm64", "aarch64", 16, path{from: []string{"groupbegin"}, inner: "grouploop", turns: 2},
		[]cpu{{"apple-m1", "Apple M1"}, {"neoverse-v2", "Neoverse V2"}}},
}

var zens = []cpu{{"znver4", "Zen 4"}, {"sapphirerapids", "Sapphire Rapids"}}

// path is what is simulated of a function: from a label, the first that it has, until it is come back to.
type path struct {
	from  []string
	inner string // a loop within, if it is not empty,
	turns int    // and how often it is gone through
	mask  string // the label of the kind of mask that is stored
}

// kernel is a function whose loop is simulated; the name is package bench's.
type kernel struct {
	name     string
	file     string
	function string
	path     path
	blocks   bool // groups of 32
	mask     string
	elements int // of a turn, if it is not a tile
}

var (
	oneGroup = path{from: []string{"groupahead", "grouplayout2loop", "grouploop"}}
	short    = path{from: []string{"short2ahead", "short2layout2", "short2loop"}}
	flat     = path{from: []string{"laneloop"}}
	copying  = path{from: []string{"loop"}}
)

// inTurns is a block's loop, which has so many turns if it has any.
func inTurns(n int) path { return path{from: copying.from, inner: "turn", turns: n} }

// Labels that begin so are where a branch on the kind of mask goes: for bytes, and for none.
const maskBytes, maskNone = "maskbytes", "maskdone"

// kernels are those of the table.
var kernels = []kernel{
	{name: "fakequantize/int8/bytemask", file: "fakequantize", function: "FakeQuantize", path: oneGroup, mask: maskBytes},
	{name: "fakequantize/int8/bytemask/block32", file: "fakequantize", function: "FakeQuantize", blocks: true, mask: maskBytes},
	{name: "fakequantize/int8/nomask", file: "fakequantize", function: "FakeQuantize", path: oneGroup, mask: maskNone},
	{name: "copy, 4 bytes to 5", file: "copy", function: "Copy4to5", path: copying, elements: 64},
	{name: "copy, 4 bytes to 4", file: "copy", function: "Copy4to4", path: copying, elements: 64},
	{name: "quantize/int8", file: "quantize", function: "Quantize", path: oneGroup},
	{name: "quantize/int8/block32", file: "quantize", function: "Quantize", blocks: true},
	{name: "copy, 4 bytes to 1", file: "copy", function: "Copy4to1", path: copying, elements: 64},
	{name: "dequantize/int8", file: "dequantize", function: "Dequantize", path: oneGroup},
	{name: "dequantize/int8/block32", file: "dequantize", function: "Dequantize", blocks: true},
	{name: "copy, 1 byte to 4", file: "copy", function: "Copy1to4", path: copying, elements: 64},
	{name: "fakequantize/e4m3/bytemask", file: "fakequantizefp", function: "FakeQuantizeFp", path: oneGroup, mask: maskBytes},
	{name: "quantize/e4m3", file: "quantizefp", function: "QuantizeFp", path: oneGroup},
	{name: "minmax", file: "minmax", function: "MinMax", path: oneGroup},
	{name: "copy, 4 bytes to 0", file: "copy", function: "Copy4to0", path: copying, elements: 64},
	{name: "encode/f16", file: "convert", function: "EncodeF16", path: flat},
	{name: "encode/bf16", file: "convert", function: "EncodeBF16", path: flat},
	{name: "decode/bf16", file: "convert", function: "DecodeBF16", path: flat},
	{name: "dequantize/q8_0", file: "blocks", function: "DequantizeBlocksQ8_0", path: copying, elements: 32},
	{name: "dequantize/q4_0", file: "blocks", function: "DequantizeBlocksQ4_0", path: copying, elements: 32},
	{name: "dequantize/q4_1", file: "blocks", function: "DequantizeBlocksQ4_1", path: copying, elements: 32},
	{name: "dequantize/q5_0", file: "blocks", function: "DequantizeBlocksQ5_0", path: copying, elements: 32},
	{name: "dequantize/q5_1", file: "blocks", function: "DequantizeBlocksQ5_1", path: copying, elements: 32},
	{name: "dequantize/mxfp4", file: "blocks", function: "DequantizeBlocksMXFP4", path: copying, elements: 32},
	{name: "dequantize/nvfp4", file: "blocks", function: "DequantizeBlocksNVFP4", path: copying, elements: 64},
	{name: "dequantize/q2_k", file: "blocks", function: "DequantizeBlocksQ2_K", path: inTurns(2), elements: 256},
	{name: "dequantize/q3_k", file: "blocks", function: "DequantizeBlocksQ3_K", path: copying, elements: 256},
	{name: "dequantize/q4_k", file: "blocks", function: "DequantizeBlocksQ4_K", path: inTurns(4), elements: 256},
	{name: "dequantize/q5_k", file: "blocks", function: "DequantizeBlocksQ5_K", path: copying, elements: 256},
	{name: "dequantize/q6_k", file: "blocks", function: "DequantizeBlocksQ6_K", path: inTurns(2), elements: 256},
	{name: "dequantize/iq4_xs", file: "blocks", function: "DequantizeBlocksIQ4_XS", path: inTurns(8), elements: 256},
}

func main() {
	update := flag.String("update", "", "file to write the table to, between the marks "+begin+" and "+end)
	loop := flag.String("loop", "", "print the loop of this function instead")
	suffix := flag.String("target", "AVX512", "with -loop: AVX2, AVX512 or NEON")
	dir := flag.String("asm", "../internal/asm", "folder with the assembly")
	flag.Parse()
	if err := run(*dir, *update, *loop, *suffix); err != nil {
		fmt.Fprintln(os.Stderr, "mca:", err)
		os.Exit(1)
	}
}

func run(dir, update, loop, suffix string) error {
	if loop != "" {
		for _, k := range kernels {
			for _, t := range targets {
				if k.function == loop && t.suffix == suffix {
					text, err := k.text(t, dir)
					if err != nil {
						return err
					}
					fmt.Printf("# %s, %d elements\n%s", k.name, k.turn(t), text)
				}
			}
		}
		return nil
	}
	table, err := predictions(dir)
	if err != nil {
		return err
	}
	if update == "" {
		fmt.Print(table)
		return nil
	}
	text, err := os.ReadFile(update)
	if err != nil {
		return err
	}
	text, err = between(text, table)
	if err != nil {
		return fmt.Errorf("%s: %w", update, err)
	}
	return os.WriteFile(update, text, 0o666)
}

// Marks of the place that -update writes to.
const (
	begin = "<!-- predictions: go -C gen run ./mca -update ../bench/README.md -->"
	end   = "<!-- end of predictions -->"
)

// between replaces what is between the two marks.
func between(text []byte, table string) ([]byte, error) {
	before, rest, ok := bytes.Cut(text, []byte(begin))
	_, after, ok2 := bytes.Cut(rest, []byte(end))
	if !ok || !ok2 {
		return nil, fmt.Errorf("there is no %s with an %s behind it", begin, end)
	}
	return fmt.Appendf(nil, "%s%s\n\n%s\n%s%s", before, begin, table, end, after), nil
}

// predictions is the table, in Markdown.
func predictions(dir string) (string, error) {
	var b strings.Builder
	head, rule := "| loop |", "|---|"
	for _, t := range targets {
		for _, c := range t.cpus {
			head += fmt.Sprintf(" %s, %s |", strings.Replace(t.suffix, "X5", "X-5", 1), c.says)
			rule += "---|"
		}
	}
	fmt.Fprintf(&b, "%s\n%s\n", head, rule)
	for _, k := range kernels {
		fmt.Fprintf(&b, "| %s |", k.name)
		for _, t := range targets {
			text, err := k.text(t, dir)
			if err != nil {
				return "", err
			}
			for _, c := range t.cpus {
				p, err := simulate(text, t.triple, c.name)
				if err != nil {
					return "", fmt.Errorf("%s%s: %w", k.function, t.suffix, err)
				}
				fmt.Fprintf(&b, " %.3f %s |", p.cycles/float64(k.turn(t)), p.binds)
			}
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}
