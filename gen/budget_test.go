package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// budget is how many lines of assembly, and how many thousand bytes of text, there may be at most.
type budget struct{ lines, kilobytes int }

// budgets are those of the kernels of a file, for all implementations together. Whoever needs more raises
// one and says in the commit what it buys; whoever needs less lowers it.
var budgets = map[string]budget{
	"backward":              {2850, 64},
	"blocks":                {5810, 172},
	"constants":             {1500, 72},
	"convert":               {7500, 175},
	"copy":                  {1050, 18},
	"dequantize":            {9380, 203},
	"dequantizeF16BF16":     {6860, 146},
	"dequantizefp":          {5140, 111},
	"dequantizefpF16BF16":   {6720, 149},
	"difference":            {120, 2},
	"dispatch":              {120, 4},
	"errors":                {5350, 138},
	"fakequantize":          {9120, 219},
	"fakequantizeF16BF16":   {8980, 207},
	"fakequantizefp":        {3300, 80},
	"fakequantizefpF16BF16": {4960, 115},
	"learn":                 {360, 8},
	"lookup":                {390, 8},
	"minmax":                {17920, 411},
	"onepass":               {320, 7},
	"pack":                  {1110, 24},
	"params":                {2690, 65},
	"prepare":               {160, 3},
	"productBF16":           {1720, 41},
	"productF16BF16":        {880, 19},
	"productF16":            {1640, 37},
	"quantize":              {11290, 254},
	"quantizeBF16":          {2690, 61},
	"quantizeF16":           {2620, 58},
	"quantizeF16BF16":       {8630, 188},
	"quantizefp":            {10930, 257},
	"quantizefpF16BF16":     {7730, 174},
	"quotient":              {3700, 83},
	"search":                {4680, 116},
	"shorts":                {3380, 77},
	"sixes":                 {480, 12},
	"stage":                 {2440, 43},
	"stochastic":            {1900, 49},
	"transpose":             {920, 22},
	"writeblocks":           {6050, 181},
}

// budgetOfAll is less than the sum of what each may have.
var budgetOfAll = budget{173210, 4073}

func TestBudget(t *testing.T) {
	names, err := filepath.Glob(filepath.Join(asmDir, "*.s"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no files (%v)", err)
	}
	sums, all := map[string]budget{}, budget{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		family, _, _ := strings.Cut(filepath.Base(name), "_")
		sum := sums[family]
		sum.lines += bytes.Count(text, []byte("\n"))
		sum.kilobytes += len(text) / 1000
		sums[family] = sum
	}
	check := func(what string, has, may budget) {
		if has.lines > may.lines || has.kilobytes > may.kilobytes {
			t.Errorf("%s has %d lines and %d kB, and may have %d and %d", what, has.lines, has.kilobytes, may.lines, may.kilobytes)
		}
	}
	for family, sum := range sums {
		all.lines += sum.lines
		all.kilobytes += sum.kilobytes
		check(family, sum, budgets[family])
	}
	check("internal/asm", all, budgetOfAll)
	for family := range budgets {
		if _, ok := sums[family]; !ok {
			t.Errorf("%s has a budget and no files", family)
		}
	}
}
