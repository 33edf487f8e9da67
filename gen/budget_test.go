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
	"backward":           {4000, 100},
	"blocks":             {7700, 230},
	"convert":            {8560, 214},
	"copy":               {1300, 30},
	"dequantize":         {18000, 393},
	"dequantizeBF16":     {12600, 290},
	"dequantizeF16":      {11000, 250},
	"dequantizefp":       {6230, 139},
	"dequantizefpBF16":   {6720, 156},
	"dequantizefpF16":    {5870, 131},
	"dispatch":           {170, 10},
	"errors":             {6300, 165},
	"fakequantize":       {11000, 270},
	"fakequantizeBF16":   {9900, 250},
	"fakequantizeF16":    {9500, 230},
	"fakequantizefp":     {4000, 100},
	"fakequantizefpBF16": {5700, 150},
	"fakequantizefpF16":  {5200, 130},
	"lookup":             {210, 10},
	"minmax":             {26700, 620},
	"pack":               {1400, 40},
	"params":             {10500, 300},
	"prepare":            {300, 10},
	"productBF16":        {4100, 110},
	"productF16":         {3900, 100},
	"quantize":           {30700, 710},
	"quantizeBF16":       {26400, 620},
	"quantizeF16":        {25900, 600},
	"quantizefp":         {18600, 440},
	"quantizefpBF16":     {15500, 370},
	"quantizefpF16":      {15300, 360},
	"quotient":           {4300, 100},
	"search":             {4250, 112},
	"shorts":             {3900, 90},
	"stochastic":         {2900, 80},
	"sixes":              {470, 16},
	"stage":              {1800, 40},
	"writeblocks":        {6900, 220},
}

// budgetOfAll is less than the sum of what each may have.
var budgetOfAll = budget{336600, 7980}

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
