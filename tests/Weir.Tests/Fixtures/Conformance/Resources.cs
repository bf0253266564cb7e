using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Weir.Tests.Fixtures.Conformance;

/// <summary>The resources that the suite names.</summary>
internal static partial class Resources
{
    public const string Watched = "test://watched-resource";

    /// <summary>A PNG of one pixel.</summary>
    public const string Image = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==";

    /// <summary>A WAV file of two samples.</summary>
    public const string Audio = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=";

    public static JsonArray List() => new(
        Entry("test://static-text", "static-text", "text/plain"),
        Entry("test://static-binary", "static-binary", "image/png"),
        Entry(Watched, "watched-resource", "text/plain"));

    public static JsonArray Templates() =>
        new(new JsonObject { ["uriTemplate"] = "test://template/{id}/data", ["name"] = "template", ["mimeType"] = "application/json" });

    public static JsonObject Read(Features features, ServerCall call)
    {
        var uri = call.Params["uri"]?.GetValue<string>() ?? throw new RpcException(Rpc.InvalidParams, "uri is required");
        return uri switch
        {
            "test://static-text" => Contents(uri, "text/plain", "text", "This is the content of the static text resource."),
            "test://static-binary" => Contents(uri, "image/png", "blob", Image),
            Watched => Contents(uri, "text/plain", "text", $"Watched resource content, version {features.Readings}"),
            _ when Template().Match(uri) is { Success: true } match => Contents(
                uri, "application/json", "text",
                new JsonObject
                {
                    ["id"] = match.Groups["id"].Value,
                    ["templateTest"] = true,
                    ["data"] = $"Data for ID: {match.Groups["id"].Value}",
                }.ToJsonString()),
            _ => throw call.ResourceNotFound(uri),
        };
    }

    private static JsonObject Entry(string uri, string name, string type) =>
        new() { ["uri"] = uri, ["name"] = name, ["description"] = $"The {name} of the tests", ["mimeType"] = type };

    private static JsonObject Contents(string uri, string type, string member, string value) =>
        new() { ["contents"] = new JsonArray(new JsonObject { ["uri"] = uri, ["mimeType"] = type, [member] = value }) };

    [GeneratedRegex("^test://template/(?<id>[^/]+)/data$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Template();
}
