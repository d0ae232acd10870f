#include "report/section_json.h"

#include "core/check.h"
#include "io/json_text.h"

namespace purescope {
namespace {

std::string strings(const std::vector<std::string>& list) {
  std::vector<std::string> items;
  for (const std::string& s : list) items.push_back(json_quote(s));
  return json_array(items);
}

std::string numbers(const std::vector<double>& list) {
  std::vector<std::string> items;
  for (double v : list) items.push_back(json_number(v));
  return json_array(items);
}

template <typename T, typename Write>
std::string array_of(const std::vector<T>& list, Write&& write) {
  std::vector<std::string> items;
  for (const T& item : list) items.push_back(write(item));
  return json_array(items);
}

// Only what is known stands in a cell.
std::string cell_json(const Cell& c) {
  JsonLine line;
  if (!c.text.empty()) line.add("text", c.text);
  if (c.text.empty() || c.value == c.value) line.add("value", c.value);
  if (c.low == c.low) line.add("low", c.low);
  if (c.high == c.high) line.add("high", c.high);
  if (c.deviation == c.deviation) line.add("deviation", c.deviation);
  if (c.n >= 0) line.add("n", c.n);
  if (c.papers) line.add("papers", true);
  return line.text();
}

std::string table_json(const ResultTable& t) {
  const auto column = [](const Column& c) {
    return JsonLine().add("title", c.title).add("unit", c.unit).add("decimals", c.decimals).text();
  };
  const auto row = [](const std::vector<Cell>& cells) { return array_of(cells, cell_json); };
  return JsonLine()
      .add("title", t.title)
      .add("note", t.note)
      .raw("columns", array_of(t.columns, column))
      .raw("rows", array_of(t.rows, row))
      .text();
}

const std::vector<std::string> kSeriesKinds = {"line", "points", "bars", "steps"};   // in the order of Series::Kind
const std::vector<std::string> kPlotKinds = {"xy", "heat map", "quiver", "images"};  // in the order of Plot::Kind

std::string series_json(const Series& s) {
  return JsonLine()
      .add("kind", kSeriesKinds.at(s.kind))
      .add("name", s.name)
      .raw("x", numbers(s.x))
      .raw("y", numbers(s.y))
      .raw("low", numbers(s.low))
      .raw("high", numbers(s.high))
      .raw("labels", strings(s.labels))
      .add("dashed", s.dashed)
      .add("papers", s.papers)
      .add("right_axis", s.right_axis)
      .text();
}

std::string axis_json(const Axis& a) {
  return JsonLine()
      .add("title", a.title)
      .add("logarithmic", a.logarithmic)
      .add("low", a.low)
      .add("high", a.high)
      .text();
}

std::string plot_json(const Plot& p) {
  return JsonLine()
      .add("kind", kPlotKinds.at(p.kind))
      .add("title", p.title)
      .add("note", p.note)
      .raw("x", axis_json(p.x))
      .raw("y", axis_json(p.y))
      .raw("right", axis_json(p.right))
      .raw("series", array_of(p.series, series_json))
      .raw("row_names", strings(p.row_names))
      .raw("column_names", strings(p.column_names))
      .raw("cells", array_of(p.cells, numbers))
      .add("image_file", p.image_file)
      .text();
}

// One value of an array, as the field "value" of an object, so that it is read with the checks of JsonObject.
JsonObject boxed(const std::string& value, const std::string& where) {
  return JsonObject::parse("{\"value\":" + value + "}", where);
}

// An object with exactly `count` fields: an unknown one would be lost without a word.
JsonObject object(const std::string& text, size_t count, const std::string& where) {
  JsonObject o = JsonObject::parse(text, where);
  if (o.fields().size() != count)
    fail(kBadInput, "an object has " + std::to_string(o.fields().size()) + " fields, expected " + std::to_string(count),
         where, "write the file again with this version of the program");
  return o;
}

std::vector<double> read_numbers(const std::string& array, const std::string& where) {
  std::vector<double> values;
  for (const std::string& v : json_elements(array, where)) {
    values.push_back(kNoNumber);
    if (v != "null") values.back() = boxed(v, where).get_double("value");
  }
  return values;
}

size_t read_kind(const std::string& name, const std::vector<std::string>& names, const std::string& where) {
  for (size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return i;
  fail(kBadInput, "unknown kind \"" + name + "\"", where, "write the file again with this version of the program");
}

int read_int(const JsonObject& o, const char* key, int64_t low, int64_t high, const std::string& where) {
  const int64_t value = o.get_int(key);
  if (value < low || value > high)
    fail(kBadInput,
         std::string("field \"") + key + "\" is " + std::to_string(value) + ", outside " + std::to_string(low) +
             " ... " + std::to_string(high),
         where, "restore the file or write it again");
  return static_cast<int>(value);
}

Cell read_cell(const std::string& text, const std::string& where) {
  const JsonObject o = JsonObject::parse(text, where);
  Cell c;
  for (const auto& [key, value] : o.fields()) {
    if (key == "text") c.text = o.get_string(key);
    else if (key == "value") c.value = o.get_double(key);
    else if (key == "low") c.low = o.get_double(key);
    else if (key == "high") c.high = o.get_double(key);
    else if (key == "deviation") c.deviation = o.get_double(key);
    else if (key == "n") c.n = read_int(o, "n", 0, 2147483647, where);
    else if (key == "papers") c.papers = o.get_bool(key);
    else
      fail(kBadInput, "a cell has the unknown field \"" + key + "\"", where,
           "write the file again with this version of the program");
  }
  return c;
}

ResultTable read_table(const std::string& text, const std::string& where) {
  const JsonObject o = object(text, 4, where);
  ResultTable t{o.get_string("title"), o.get_string("note"), {}, {}};
  for (const std::string& column : json_elements(o.raw("columns"), where)) {
    const JsonObject c = object(column, 3, where);
    t.columns.push_back({c.get_string("title"), c.get_string("unit"), read_int(c, "decimals", 0, 17, where)});
  }
  for (const std::string& row : json_elements(o.raw("rows"), where)) {
    t.rows.emplace_back();
    for (const std::string& cell : json_elements(row, where)) t.rows.back().push_back(read_cell(cell, where));
  }
  return t;
}

Series read_series(const std::string& text, const std::string& where) {
  const JsonObject o = object(text, 10, where);
  Series s;
  s.kind = static_cast<Series::Kind>(read_kind(o.get_string("kind"), kSeriesKinds, where));
  s.name = o.get_string("name");
  s.x = read_numbers(o.raw("x"), where);
  s.y = read_numbers(o.raw("y"), where);
  s.low = read_numbers(o.raw("low"), where);
  s.high = read_numbers(o.raw("high"), where);
  s.labels = o.get_strings("labels");
  s.dashed = o.get_bool("dashed");
  s.papers = o.get_bool("papers");
  s.right_axis = o.get_bool("right_axis");
  return s;
}

Axis read_axis(const std::string& text, const std::string& where) {
  const JsonObject o = object(text, 4, where);
  return {o.get_string("title"), o.get_bool("logarithmic"), o.get_double("low"), o.get_double("high")};
}

Plot read_plot(const std::string& text, const std::string& where) {
  const JsonObject o = object(text, 11, where);
  Plot p;
  p.kind = static_cast<Plot::Kind>(read_kind(o.get_string("kind"), kPlotKinds, where));
  p.title = o.get_string("title");
  p.note = o.get_string("note");
  p.x = read_axis(o.raw("x"), where);
  p.y = read_axis(o.raw("y"), where);
  p.right = read_axis(o.raw("right"), where);
  for (const std::string& s : json_elements(o.raw("series"), where)) p.series.push_back(read_series(s, where));
  p.row_names = o.get_strings("row_names");
  p.column_names = o.get_strings("column_names");
  for (const std::string& row : json_elements(o.raw("cells"), where)) p.cells.push_back(read_numbers(row, where));
  p.image_file = o.get_string("image_file");
  return p;
}

}  // namespace

std::vector<std::string> json_elements(const std::string& array, const std::string& where) {
  if (array.empty() || array.front() != '[' || array.back() != ']')
    fail(kBadInput, "expected a list, found " + array.substr(0, 60), where, "restore the file or write it again");
  std::vector<std::string> items;
  int depth = 0;
  std::string item;
  bool quoted = false;
  for (size_t i = 1; i + 1 < array.size(); ++i) {
    const char c = array[i];
    if (quoted) {
      item += c;
      if (c == '\\') item += array[++i];
      if (c == '"') quoted = false;
      continue;
    }
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') continue;
    if (c == ',' && depth == 0) {
      items.push_back(std::move(item));
      item.clear();
      continue;
    }
    if (c == '"') quoted = true;
    depth += (c == '[' || c == '{') - (c == ']' || c == '}');
    item += c;
  }
  if (!item.empty()) items.push_back(std::move(item));
  return items;
}

std::string section_json(const Section& s) {
  const std::string problem = section_problem(s);
  if (!problem.empty()) fail(kInternal, "section " + s.name + ": " + problem, "section_json", "report this as a bug");
  const auto pair = [](const std::pair<std::string, std::string>& p) { return strings({p.first, p.second}); };
  return JsonLine()
      .add("v", kSectionSchema)
      .add("name", s.name)
      .add("title", s.title)
      .add("caption", s.caption)
      .add("source", s.source)
      .raw("settings", array_of(s.settings, pair))
      .raw("findings", strings(s.findings))
      .raw("tables", array_of(s.tables, table_json))
      .raw("plots", array_of(s.plots, plot_json))
      .add("command", s.command)
      .text();
}

Section section_from_json(const std::string& text, const std::string& where) {
  const JsonObject o = JsonObject::parse(text, where);
  if (o.get_int("v") != kSectionSchema)
    fail(kBadInput, "this section has schema " + o.raw("v") + ", this program reads " + std::to_string(kSectionSchema),
         where, "read it with the version of the program that wrote it");
  object(text, 10, where);
  Section s;
  s.name = o.get_string("name");
  s.title = o.get_string("title");
  s.caption = o.get_string("caption");
  s.source = o.get_string("source");
  for (const std::string& item : json_elements(o.raw("settings"), where)) {
    const std::vector<std::string> pair = boxed(item, where).get_strings("value");
    if (pair.size() != 2)
      fail(kBadInput, "a setting is not a pair of texts", where, "restore the file or write it again");
    s.settings.emplace_back(pair[0], pair[1]);
  }
  s.findings = o.get_strings("findings");
  for (const std::string& table : json_elements(o.raw("tables"), where)) s.tables.push_back(read_table(table, where));
  for (const std::string& plot : json_elements(o.raw("plots"), where)) s.plots.push_back(read_plot(plot, where));
  s.command = o.get_string("command");
  const std::string problem = section_problem(s);
  if (!problem.empty()) fail(kBadInput, problem, where, "write the file again with this version of the program");
  return s;
}

}  // namespace purescope
