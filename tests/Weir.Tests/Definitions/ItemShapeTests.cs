using System.Text;
using System.Text.Json;
using Weir.Definitions;

namespace Weir.Tests.Definitions;

/// <summary>Which items fit into the lists of which clients, what is mended, and what is said of the others.</summary>
public sealed class ItemShapeTests
{
    private const string Both = "legacy,modern";

    [Theory]
    [InlineData("tool", """{"name":"t","inputSchema":{"type":"object"}}""")]
    [InlineData(
        "tool",
        """{"name":"t","title":"T","description":"d","inputSchema":{"type":"object","properties":{"a":{"enum":[]},"b":{"type":"int"}},"re"""
            + """quired":["a"],"$schema":"x"},"annotations":{"title":"x","readOnlyHint":true},"execution":{"taskSupport":"optional"},"_me"""
            + """ta":{"x":1},"icons":[{"src":"https://x.example/i"}],"vendor":7}""")]
    [InlineData(
        "tool",
        """{"name":"t","inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":{"a":{"$ref":"#/$defs/"""
            + """A"}},"$defs":{"A":{"type":"string","pattern":"^[a-z]{2,}$"}}}}""")]
    [InlineData("prompt", """{"name":"p","arguments":[{"name":"a","description":"d","required":true}]}""")]
    [InlineData("prompt", """{"name":"p"}""")]
    [InlineData(
        "resource",
        """{"uri":"file:///a","name":"a","mimeType":"text/plain","size":24.0,"annotations":{"audience":["user","assistant"],"priority":0."""
            + """5,"lastModified":"2025-01-12T15:00:58+02:00"}}""")]
    [InlineData("resource", """{"uri":"file:///a","name":"a","annotations":{"lastModified":"2025-01-12T15:00:58.123456789Z"}}""")]
    [InlineData("template", """{"uriTemplate":"file:///{a}","name":"a","annotations":{"priority":1}}""")]
    public void R01_what_the_protocol_allows_is_listed_as_the_server_wrote_it(string kind, string definition)
    {
        ItemShape.Of(kind, definition)
            .ShouldSatisfyAllConditions(s => string.Join(',', s.Eras).ShouldBe(Both), s => s.Fault.ShouldBeNull());
        Shown(kind, definition, modern: false).ShouldBe(definition);
        Shown(kind, definition, modern: true).ShouldBe(definition);
    }

    [Theory]
    [InlineData("""{"name":"t"}""", "inputSchema")]
    [InlineData("""{"name":"t","inputSchema":null}""", "inputSchema")]
    [InlineData("""{"name":"t","inputSchema":"{}"}""", "inputSchema")]
    [InlineData("""{"name":"t","inputSchema":[{}]}""", "inputSchema")]
    [InlineData("""{"name":"t","inputSchema":true}""", "inputSchema")]
    [InlineData("""{"name":"t","inputSchema":{"type":"string"}}""", "inputSchema.type")]
    [InlineData("""{"name":"t","inputSchema":{"type":["object","null"]}}""", "inputSchema.type")]
    [InlineData("""{"name":"t","inputSchema":{"type":7}}""", "inputSchema.type")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object","$schema":7}}""", "inputSchema.$schema")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object","properties":[{"name":"a"}]}}""", "inputSchema.properties")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object","properties":"a"}}""", "inputSchema.properties")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object","properties":{"a":"string"}}}""", "inputSchema.properties.a")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object","properties":{"a":null}}}""", "inputSchema.properties.a")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object","required":"a"}}""", "inputSchema.required")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object","required":true}}""", "inputSchema.required")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object","required":["a",1]}}""", "inputSchema.required")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object"},"outputSchema":"x"}""", "outputSchema")]
    [InlineData(
        """{"name":"t","inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":7}}""", "outputSchema.properties")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object"},"title":7}""", "title")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object"},"description":["d"]}""", "description")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object"},"annotations":"x"}""", "annotations")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":"true"}}""", "annotations.readOnlyHint")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object"},"annotations":{"title":7}}""", "annotations.title")]
    public void R01_a_tool_that_no_client_accepts_is_left_out_with_the_member_that_is_wrong(string definition, string path) =>
        IsMalformed("tool", definition, path, "");

    [Theory]
    [InlineData("prompt", """{"name":"p","arguments":{"a":{}}}""", "arguments")]
    [InlineData("prompt", """{"name":"p","arguments":["a"]}""", "arguments[0]")]
    [InlineData("prompt", """{"name":"p","arguments":[{"name":"a"},{"description":"d"}]}""", "arguments[1].name")]
    [InlineData("prompt", """{"name":"p","arguments":[{"name":"a","required":"yes"}]}""", "arguments[0].required")]
    [InlineData("prompt", """{"name":"p","description":7}""", "description")]
    [InlineData("resource", """{"uri":"file:///a"}""", "name")]
    [InlineData("resource", """{"uri":"file:///a","name":null}""", "name")]
    [InlineData("resource", """{"uri":"a/b","name":"a"}""", "uri")]
    [InlineData("resource", """{"uri":"file:///a","name":"a","size":"12"}""", "size")]
    [InlineData("resource", """{"uri":"file:///a","name":"a","size":1.5}""", "size")]
    [InlineData("resource", """{"uri":"file:///a","name":"a","mimeType":7}""", "mimeType")]
    [InlineData("resource", """{"uri":"file:///a","name":"a","annotations":{"audience":"user"}}""", "annotations.audience")]
    [InlineData("resource", """{"uri":"file:///a","name":"a","annotations":{"audience":["everybody"]}}""", "annotations.audience")]
    [InlineData("resource", """{"uri":"file:///a","name":"a","annotations":{"priority":2}}""", "annotations.priority")]
    [InlineData("resource", """{"uri":"file:///a","name":"a","annotations":{"priority":"high"}}""", "annotations.priority")]
    [InlineData("resource", """{"uri":"file:///a","name":"a","annotations":{"lastModified":"yesterday"}}""", "annotations.lastModified")]
    [InlineData("resource", """{"uri":"file:///a","name":"a","annotations":{"lastModified":"2025-02-30T10:00:00.123456789Z"}}""",
        "annotations.lastModified")]
    [InlineData(
        "resource", """{"uri":"file:///a","name":"a","annotations":{"lastModified":"2025-02-30T10:00:00Z"}}""", "annotations.lastModified")]
    [InlineData("template", """{"uriTemplate":"file:///{a}"}""", "name")]
    [InlineData("template", """{"uriTemplate":"file:///{a}","name":"a","mimeType":[]}""", "mimeType")]
    public void R01_so_is_a_prompt_a_resource_or_a_template(string kind, string definition, string path) =>
    IsMalformed(kind, definition, path, "");

    [Theory]
    [InlineData("""{"name":"t","inputSchema":{"type":"object"},"outputSchema":{"properties":{}}}""", "outputSchema.type")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object"},"outputSchema":{"type":"array"}}""", "outputSchema.type")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object"},"execution":"x"}""", "execution")]
    [InlineData("""{"name":"t","inputSchema":{"type":"object"},"execution":{"taskSupport":"maybe"}}""", "execution.taskSupport")]
    public void R01_what_only_the_newest_version_allows_is_listed_to_its_clients_alone(string definition, string path) =>
        IsMalformed("tool", definition, path, "modern");

    [Theory]
    [InlineData("tool", """{"name":"t","inputSchema":{"type":"object","properties":[]}}""",
        """{"name":"t","inputSchema":{"type":"object","properties":{}}}""")]
    [InlineData("tool", """{"name":"t","inputSchema":{"type":"object","properties":null,"required":null}}""",
        """{"name":"t","inputSchema":{"type":"object"}}""")]
    [InlineData("tool", """{"name":"t","inputSchema":{"type":"object","required":{}}}""",
        """{"name":"t","inputSchema":{"type":"object","required":[]}}""")]
    [InlineData("tool", """{"name":"t","inputSchema":{"type":"object","properties":{"a":[]}}}""",
        """{"name":"t","inputSchema":{"type":"object","properties":{"a":{}}}}""")]
    [InlineData("tool", """{"name":"t","inputSchema":{}}""", """{"name":"t","inputSchema":{"type":"object"}}""")]
    [InlineData("tool", """{"name":"t","inputSchema":{"type":["object"]}}""", """{"name":"t","inputSchema":{"type":"object"}}""")]
    [InlineData(
        "tool",
        """{"name":"t","inputSchema":{"type":"object"},"annotations":null,"title":null,"description":null,"outputSchema":null,"executio"""
            + """n":null,"icons":null,"_meta":null}""", """{"name":"t","inputSchema":{"type":"object"}}""")]
    [InlineData("tool", """{"name":"t","inputSchema":{"type":"object"},"annotations":[],"_meta":[]}""",
        """{"name":"t","inputSchema":{"type":"object"},"annotations":{}}""")]
    [InlineData("tool", """{"name":"t","inputSchema":{"type":"object"},"annotations":{"readOnlyHint":null}}""",
        """{"name":"t","inputSchema":{"type":"object"},"annotations":{}}""")]
    [InlineData("tool", """{"name":"t","inputSchema":{"type":"object"},"_meta":{"a":1,"a":2},"icons":[{"src":7}]}""",
        """{"name":"t","inputSchema":{"type":"object"}}""")]
    [InlineData("tool", """{"name":"t","inputSchema":{"type":"object"},"_meta":{"a":"\ud800"}}""",
        """{"name":"t","inputSchema":{"type":"object"}}""")]
    [InlineData("prompt", """{"name":"p","arguments":{}}""", """{"name":"p","arguments":[]}""")]
    [InlineData("prompt", """{"name":"p","arguments":[{"name":"a","description":null,"required":null}]}""",
        """{"name":"p","arguments":[{"name":"a"}]}""")]
    [InlineData("resource", """{"uri":"file:///a","name":"a","mimeType":null,"size":null,"annotations":null}""",
        """{"uri":"file:///a","name":"a"}""")]
    [InlineData("resource", """{"uri":"file:///a","name":"é <b>","size":null}""", """{"uri":"file:///a","name":"é <b>"}""")]
    public void R01_what_can_mean_one_thing_only_is_mended_and_the_hash_stays_the_servers(string kind, string definition, string shown)
    {
        string.Join(',', ItemShape.Of(kind, definition).Eras).ShouldBe(Both);
        Shown(kind, definition, modern: false).ShouldBe(shown);
        // The newest version has no execution, so its clients ignore it.
        Shown(kind, definition, modern: true).Replace(",\"execution\":null", "", StringComparison.Ordinal).ShouldBe(shown);
        AnnouncedItem.Read(ListedKind.Of(kind), JsonElement.Parse(definition)).Definition.ShouldBe(definition);
    }

    [Fact]
    public void R01_a_property_that_allows_anything_or_nothing_is_an_object_for_older_clients()
    {
        const string Definition = """{"name":"t","inputSchema":{"type":"object","properties":{"a":true,"b":false}}}""";
        Shown("tool", Definition, modern: true).ShouldBe(Definition);
        Shown("tool", Definition, modern: false)
            .ShouldBe("""{"name":"t","inputSchema":{"type":"object","properties":{"a":{},"b":{"not":{}}}}}""");
    }

    [Fact]
    public void R01_an_output_schema_that_validators_do_not_compile_is_not_shown_to_clients_that_compile_it_when_they_list()
    {
        const string Definition =
            """{"name":"t","inputSchema":{"type":"object"},"outputSchema":{"type":"object","properties":{"a":{"pattern":"("}}}}""";
        Shown("tool", Definition, modern: true).ShouldBe(Definition);
        Shown("tool", Definition, modern: false).ShouldBe("""{"name":"t","inputSchema":{"type":"object"}}""");
    }

    [Fact]
    public void R16_a_tool_that_can_only_be_called_as_a_task_is_listed_to_nobody()
    {
        var shape = ItemShape.Of("tool", """{"name":"t","inputSchema":{"type":"object"},"execution":{"taskSupport":"required"}}""");
        shape.Eras.ShouldBeEmpty();
        (shape.Fault!.Kind, shape.Fault.Path).ShouldBe(("unsupported", "execution.taskSupport"));
    }

    [Fact]
    public void R01_a_path_is_short_and_shows_what_it_hides()
    {
        var fault = ItemShape.Of(
            "tool",
            """{"name":"t","inputSchema":{"type":"object","properties":{"x\u202eY":7}}}""".Replace(
                "Y", new string('y', 5000), StringComparison.Ordinal)).Fault!;
        fault.Path!.Length.ShouldBeLessThan(300);
        fault.Path.ShouldStartWith("inputSchema.properties.x[U+202E]y");
        fault.Reason.Length.ShouldBeLessThan(600);
    }

    private static void IsMalformed(string kind, string definition, string path, string eras)
    {
        var shape = ItemShape.Of(kind, definition);
        string.Join(',', shape.Eras).ShouldBe(eras);
        (shape.Fault!.Kind, shape.Fault.Path).ShouldBe(("malformed", path));
    }

    private static string Shown(string kind, string definition, bool modern) =>
        Encoding.UTF8.GetString(ItemShape.Shown(kind, definition, modern));
}
