using Weir.Chat.Offline;

namespace Weir.Tests.Chat.Offline;

public sealed class WordsTests
{
    [Theory]
    [InlineData("list_allowed_directories", "list allowed directory")]
    [InlineData("getFileInfo", "file info")]
    [InlineData("What files are in the demo folder?", "file demo directory")]
    [InlineData("Show me the contents, please!", "read")]
    [InlineData("boxes, classes, addresses and status", "box class address status")]
    [InlineData("Flüsse & Städte", "flüsse städte")]
    [InlineData("", "")]
    [InlineData("the of a", "")]
    public void Words_are_lower_case_singular_and_taken_apart(string text, string words) =>
    string.Join(' ', Words.Of(text)).ShouldBe(words);

    [Theory]
    [InlineData("what files are in the demo folder?", "list")]
    [InlineData("which directories may you read?", "list")]
    [InlineData("what is in rivers.csv?", "file read")]
    [InlineData("all *.csv", "search pattern")]
    [InlineData("show me the folder", "list")]
    [InlineData("show me shopping-list.md", "file read")]
    [InlineData("what does it do?", "")]
    [InlineData("list what files are there", "")]
    public void A_question_means_words_that_it_does_not_say(string message, string words) =>
    string.Join(' ', Words.Implied(message)).ShouldBe(words);
}
