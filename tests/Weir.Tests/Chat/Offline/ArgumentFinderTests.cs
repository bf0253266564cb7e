using System.Text.Json;
using Weir.Chat.Offline;
using static Weir.Tests.Chat.Offline.OfflineTools;

namespace Weir.Tests.Chat.Offline;

public sealed class ArgumentFinderTests
{
    [Theory]
    [InlineData("list /data/docs", """{"path":"/data/docs"}""")]
    [InlineData("list path=/data/docs", """{"path":"/data/docs"}""")]
    [InlineData("list it", "missing: path")]
    public void A_path_comes_from_the_message_or_is_missing(string message, string expected) =>
    Found(ListDirectory, message).ShouldBe(expected);

    [Theory]
    [InlineData("what files are in the demo folder?", "/srv/demo", """{"path":"/srv/demo"}""")]
    [InlineData("what files are in the demo folder?", "/srv/demo\n/srv/other", """{"path":"/srv/demo"}""")]
    [InlineData("what files are there?", "/srv/demo\n/srv/other", "missing: path of /srv/demo, /srv/other")]
    [InlineData("what files are in docs?", "[\"/srv/docs\",\"/srv/pics\"]", """{"path":"/srv/docs"}""")]
    [InlineData("what files are there?", "/srv/../etc", "missing: path")]
    public void A_path_comes_from_an_earlier_result_where_the_message_or_the_result_leaves_no_choice(
    string message, string result, string expected) =>
        Found(ListDirectory, message, "Allowed directories:\n" + result, result).ShouldBe(expected);

    [Fact]
    public void A_file_of_the_message_is_put_below_the_directory_of_a_result() =>
        Found(ReadFile, "read notes.txt", "/srv/demo").ShouldBe("""{"path":"/srv/demo/notes.txt"}""");

    [Fact]
    public void A_file_that_a_result_names_whole_is_taken_whole() =>
        Found(ReadFile, "read notes.txt", "/srv/demo/deep/notes.txt\n/srv/demo").ShouldBe("""{"path":"/srv/demo/deep/notes.txt"}""");

    [Fact]
    public void A_file_without_a_directory_is_a_guess()
    {
        var found = ArgumentFinder.Find(ReadFile, "read notes.txt", []);
        found.Guessed.ShouldBeTrue();
        found.Values["path"].ShouldBe("notes.txt");
    }

    [Theory]
    [InlineData("search /data for *.csv", """{"path":"/data","pattern":"*.csv"}""")]
    [InlineData("search /data", "missing: pattern")]
    public void A_pattern_is_a_word_with_a_star(string message, string expected) => Found(SearchFiles, message).ShouldBe(expected);

    [Theory]
    [InlineData("""{"a":{"type":"number"},"b":{"type":"number"}}""", "a,b", "the sum of 3 and 4.5", """{"a":3,"b":4.5}""")]
    [InlineData("""{"a":{"type":"number"},"b":{"type":"number"}}""", "a,b", "the sum of 3", "missing: b")]
    [InlineData("""{"a":{"type":"number"},"b":{"type":"number"}}""", "a,b", "b=1 and a=2", """{"a":2,"b":1}""")]
    [InlineData("""{"n":{"type":"integer","minimum":5,"maximum":9}}""", "n", "take 3, 5.5, 12 or 7", """{"n":7}""")]
    [InlineData("""{"city":{"type":"string","enum":["New York","Chicago"]}}""", "city", "weather in new york", """{"city":"New York"}""")]
    [InlineData("""{"city":{"type":"string","enum":["New York","Chicago"]}}""", "city", "weather in Paris", "missing: city")]
    [InlineData("""{"kind":{"type":"string","enum":["only"]}}""", "kind", "anything", """{"kind":"only"}""")]
    [InlineData("""{"kind":{"type":"string","default":"text"}}""", "kind", "anything", """{"kind":"text"}""")]
    [InlineData("""{"message":{"type":"string"}}""", "message", "please echo hello world", """{"message":"hello world"}""")]
    [InlineData("""{"message":{"type":"string"}}""", "message", "echo \"hi there\" now", """{"message":"hi there"}""")]
    [InlineData("""{"message":{"type":"string"}}""", "message", "echo", "missing: message")]
    [InlineData("""{"url":{"type":"string","format":"uri"}}""", "url", "echo https://example.test/a?b=c.",
        """{"url":"https://example.test/a?b=c"}""")]
    [InlineData("""{"on":{"type":"boolean"}}""", "on", "echo on=yes", """{"on":true}""")]
    [InlineData("""{"on":{"type":"boolean"}}""", "on", "echo it", "missing: on")]
    [InlineData("""{"paths":{"type":"array"}}""", "paths", "echo /a/b.txt and /c.txt", """{"paths":["/a/b.txt","/c.txt"]}""")]
    [InlineData("""{"thing":{"type":"object"}}""", "thing", "echo thing=x", "missing: thing")]
    [InlineData("""{"size":{"type":"number"}}""", "", "echo 5", "{}")]
    [InlineData("""{"size":{"type":"number"}}""", "", "echo size=5", """{"size":5}""")]
    public void Arguments_come_from_the_message_the_default_or_the_enum(string properties, string required, string message, string expected)
    {
        var names = string.Join(',', required.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(r => $"\"{r}\""));
        Found(Tool("s", "echo", "", $$"""{"type":"object","properties":{{properties}},"required":[{{names}}]}"""), message)
            .ShouldBe(expected);
    }

    [Fact]
    public void An_id_comes_from_the_member_of_that_name_in_a_result() => Found(
        Tool("s", "get_ticket", "", """{"properties":{"ticketId":{"type":"integer"}},"required":["ticketId"]}"""),
        "show the ticket", """{"tickets":[{"ticket_id":17,"title":"Broken"}],"other_id":3}""").ShouldBe("""{"ticketId":17}""");

    [Theory]
    [InlineData("[]")]
    [InlineData("\"text\"")]
    [InlineData("""{"properties":[]}""")]
    [InlineData("""{"properties":{"a":true,"b":null,"c":{"type":["string","null"]},"d":{"type":7,"enum":5}},"required":"a"}""")]
    [InlineData("""{"properties":{"a":true,"d":{"type":7,"enum":5,"default":null}},"required":["a","d",4]}""")]
    public void A_strange_schema_is_read_without_harm(string schema) =>
    Should.NotThrow(() => Found(Tool("s", "echo", "", schema), "echo 1 a=2"));

    private static string Found(OfflineTool tool, string message, params string[] results)
    {
        var found = ArgumentFinder.Find(tool, message, results);
        return found.IsComplete
            ? JsonSerializer.Serialize(found.Values)
            : "missing: "
                + string.Join(
                    "; ", found.Missing.Select(m => m.Parameter.Name + (m.Options.Count > 0 ? " of " + string.Join(", ", m.Options) : "")));
    }
}
