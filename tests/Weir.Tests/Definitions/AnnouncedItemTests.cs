using System.Text.Json;
using Weir.Definitions;

namespace Weir.Tests.Definitions;

/// <summary>What two definitions have in common when an approval holds for both, and what is no definition at all.</summary>
public sealed class AnnouncedItemTests
{
    private static readonly ListedKind Tool = ListedKind.All.Single(k => k.Kind == ItemKinds.Tool);
    private static readonly ListedKind Resource = ListedKind.All.Single(k => k.Kind == ItemKinds.Resource);

    [Theory]
    [InlineData("""{"name":"a","description":"x"}""", """{ "description" : "x", "name" : "a" }""")]
    [InlineData("""{"name":"a","inputSchema":{"type":"object","properties":{"p":{},"q":{}}}}""",
        """{"inputSchema":{"properties":{"q":{},"p":{}},"type":"object"},"name":"a"}""")]
    [InlineData("""{"name":"a","description":"caf\u00e9 / <"}""", """{"n\u0061me":"\u0061","description":"café \/ \u003c"}""")]
    [InlineData("""{"name":"a","description":"\ud83d\ude00"}""", """{"name":"a","description":"😀"}""")]
    [InlineData("""{"name":"a","n":[1, 100, -0, 0.5, 1500000000000000000000]}""", """{"name":"a","n":[1.0, 1e2, 0e7, 5E-1, 15e+20]}""")]
    [InlineData("""{"name":"a","_meta":{"seen":"12:01"}}""", """{"name":"a","_meta":{"seen":"12:02"}}""")]
    [InlineData("""{"name":"a","icons":[{"src":"https://x.example/1"}]}""", """{"name":"a"}""")]
    public void One_definition_however_it_is_written_has_one_hash(string one, string other) => Read(one).Hash.ShouldBe(Read(other).Hash);

    [Theory]
    [InlineData("""{"name":"a"}""", """{"name":"b"}""")]
    [InlineData("""{"name":"a"}""", """{"name":"A"}""")]
    [InlineData("""{"name":"a","title":"x"}""", """{"name":"a","title":"y"}""")]
    [InlineData("""{"name":"a","description":"x"}""", """{"name":"a","description":"x "}""")]
    [InlineData("""{"name":"a","description":"\\u0061"}""", """{"name":"a","description":"a"}""")]
    [InlineData("""{"name":"a","description":null}""", """{"name":"a"}""")]
    [InlineData("""{"name":"a","description":"\u00e9"}""", """{"name":"a","description":"e\u0301"}""")]
    [InlineData("""{"name":"a","inputSchema":{"required":["p","q"]}}""", """{"name":"a","inputSchema":{"required":["q","p"]}}""")]
    [InlineData("""{"name":"a","inputSchema":{"default":1}}""", """{"name":"a","inputSchema":{"default":"1"}}""")]
    [InlineData(
        """{"name":"a","inputSchema":{"default":9007199254740993}}""", """{"name":"a","inputSchema":{"default":9007199254740992}}""")]
    [InlineData("""{"name":"a","inputSchema":{"default":1e-7}}""", """{"name":"a","inputSchema":{"default":1e-8}}""")]
    [InlineData("""{"name":"a","inputSchema":{"default":-1}}""", """{"name":"a","inputSchema":{"default":1}}""")]
    [InlineData("""{"name":"a","annotations":{"readOnlyHint":true}}""", """{"name":"a","annotations":{"readOnlyHint":false}}""")]
    [InlineData("""{"name":"a","outputSchema":{"_meta":1}}""", """{"name":"a","outputSchema":{"_meta":2}}""")]
    [InlineData("""{"name":"a","inputSchema":{"properties":{"icons":{}}}}""", """{"name":"a","inputSchema":{"properties":{}}}""")]
    [InlineData("""{"name":"a","unheardOf":1}""", """{"name":"a"}""")]
    [InlineData("""{"name":"a","inputSchema":{"a":{"b":1},"c":2}}""", """{"name":"a","inputSchema":{"a":{"b":1,"c":2}}}""")]
    public void A26_definitions_that_say_something_else_have_another_hash(string one, string other) =>
    Read(one).Hash.ShouldNotBe(Read(other).Hash);

    [Theory]
    [InlineData("""1""")]
    [InlineData("""null""")]
    [InlineData("""[]""")]
    [InlineData("""{}""")]
    [InlineData("""{"name":""}""")]
    [InlineData("""{"name":1}""")]
    [InlineData("""{"name":"a","name":"b"}""")]
    [InlineData("""{"name":"a","n\u0061me":"a"}""")]
    [InlineData("""{"name":"a","Name":"b"}""")]
    [InlineData("""{"name":"a","description":"x","DESCRIPTION":"y"}""")]
    [InlineData("""{"name":"a","_meta":1,"_meta":2}""")]
    [InlineData("""{"name":"a","inputSchema":{"type":"object","type":"string"}}""")]
    [InlineData("""{"name":"a","description":"\u0000"}""")]
    [InlineData("""{"name":"a","description":"\ud800"}""")]
    [InlineData("""{"name":"a","\udc00":1}""")]
    [InlineData("""{"name":"a","n":1e401}""")]
    [InlineData("""{"name":"a","n":1e99999999999}""")]
    [InlineData("""{"name":"a","n":1e-2147483648}""")]
    public void A25_what_could_be_read_in_two_ways_is_no_definition(string definition) =>
    Should.Throw<JsonException>(() => Read(definition));

    [Fact]
    public void Names_that_differ_by_case_are_two_parameters() =>
        Read("""{"name":"grep","inputSchema":{"properties":{"-i":{},"-I":{}}}}""").Warning.ShouldBeNull();

    [Fact]
    public void Sizes_are_bounded()
    {
        Read($$"""{"name":"{{new string('é', 512)}}"}""").Name.Length.ShouldBe(512);
        Should.Throw<JsonException>(() => Read($$"""{"name":"{{new string('é', 513)}}"}"""));
        AnnouncedItem.Read(Resource, JsonElement.Parse($$"""{"uri":"{{new string('u', 2048)}}"}""")).Name.Length.ShouldBe(2048);
        Should.Throw<JsonException>(() => AnnouncedItem.Read(Resource, JsonElement.Parse($$"""{"uri":"{{new string('u', 2049)}}"}""")));
        Read($$"""{"name":"a","d":"{{new string('x', 262_144 - 19)}}"}""").Definition.Length.ShouldBe(262_144);
        Should.Throw<JsonException>(() => Read($$"""{"name":"a","d":"{{new string('x', 262_144 - 18)}}"}"""));
        Should.Throw<JsonException>(() => Read($$"""{"name":"a","n":1{{new string('0', 400)}}}"""));
    }

    [Theory]
    [InlineData("""{"name":"a","description":"x\u202ey"}""", "bidi at description")]
    [InlineData("""{"name":"a","title":"x\u200by"}""", "invisible at title")]
    [InlineData("""{"name":"a\u2060"}""", "invisible at name")]
    [InlineData("""{"name":"a","inputSchema":{"properties":{"path":{"description":"\u001b[8m"}}}}""",
        "ansi at inputSchema.properties.path.description")]
    [InlineData("""{"name":"a","inputSchema":{"properties":{"pa\u00adth":{}}}}""", "invisible at a name in inputSchema.properties")]
    [InlineData("""{"name":"a","inputSchema":{"properties":{"x":{"enum":["a","b\u0007"]}}}}""", "control at inputSchema.properties.x.enum")]
    [InlineData("""{"name":"a","annotations":{"title":"\udb40\udc41"}}""", "tag at annotations.title")]
    [InlineData("""{"name":"a","arguments":[{"name":"x","description":"\ufeff"}]}""", "invisible at arguments.description")]
    [InlineData("""{"name":"a","x\u200b":1}""", "invisible at a member's name")]
    [InlineData("""{"name":"a","title":"\u202e","description":"\u202e\u200b"}""", "bidi at description; bidi at title")]
    public void A25_what_hides_is_told_with_its_place(string definition, string warning) => Read(definition).Warning.ShouldBe(warning);

    [Fact]
    public void A25_a_place_that_hides_something_itself_is_not_repeated()
    {
        var warning = Read("""{"name":"a","inputSchema":{"x\u202e":{"description":"\u200b"}}}""").Warning;
        warning.ShouldBe("bidi at a name in inputSchema; invisible at a hidden name.description");
    }

    [Fact]
    public void A25_a_resource_that_hides_something_is_left_out() =>
        Should.Throw<JsonException>(() => AnnouncedItem.Read(Resource, JsonElement.Parse("""{"uri":"file:///a","name":"x\u200b"}""")));

    private static AnnouncedItem Read(string definition) => AnnouncedItem.Read(Tool, JsonElement.Parse(definition));
}
