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
	"convert":            {8500, 213},
	"copy":               {1300, 30},
	"dequantize":         {18000, 403},
	"dequantizeBF16":     {12550, 295},
	"dequantizeF16":      {10950, 248},
	"dequantizefp":       {5950, 134},
	"dequantizefpBF16":   {6380, 150},
	"dequantizefpF16":    {5600, 126},
	"dispatch":           {170, 10},
	"errors":             {6300, 165},
	"fakequantize":       {10650, 256},
	"fakequantizeBF16":   {9450, 232},
	"fakequantizeF16":    {9200, 220},
	"fakequantizefp":     {3850, 94},
	"fakequantizefpBF16": {5500, 140},
	"fakequantizefpF16":  {5000, 122},
	"lookup":             {210, 10},
	"minmax":             {26700, 620},
	"pack":               {1400, 40},
	"params":             {10500, 300},
	"prepare":            {300, 10},
	"productBF16":        {3400, 90},
	"productF16":         {3200, 80},
	"quantize":           {12500, 280},
	"quantizeBF16":       {11400, 260},
	"quantizeF16":        {11300, 250},
	"quantizefp":         {18200, 438},
	"quantizefpBF16":     {15250, 370},
	"quantizefpF16":      {15000, 358},
	"quotient":           {4150, 92},
	"search":             {4510, 118},
	"shorts":             {3900, 90},
	"stochastic":         {2600, 71},
	"sixes":              {470, 16},
	"stage":              {1920, 36},
	"writeblocks":        {6270, 200},
}

// budgetOfAll is less than the sum of what each may have.
var budgetOfAll = budget{283060, 6800}

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
