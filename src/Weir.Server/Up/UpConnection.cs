using System.Text.Json;
using Weir.Configuration;

namespace Weir.Server.Up;

/// <summary>
/// How other commands reach the Weir that <c>up</c> runs on a data directory: <c>up.json</c> there, which its owner alone can read.
/// It is there while <c>up</c> runs, and knows no database.
/// </summary>
internal sealed record UpConnection(
    Uri Url, Guid? AgentId, Guid? WorkspaceId, Guid? ChannelId, string? UserToken, string? Email, string? Password)
{
    private const string FileName = "up.json";

    public static UpConnection Of(UpReport report) => new(
        new Uri(report.Url), report.AgentId, report.WorkspaceId, report.ChannelId, report.UserToken, report.Email, report.Password);

    public void Save(string dataDirectory) =>
        DataDirectory.WritePrivate(Path.Combine(dataDirectory, FileName), JsonSerializer.Serialize(this, JsonSerializerOptions.Web));

    public static void Remove(string dataDirectory) => File.Delete(Path.Combine(dataDirectory, FileName));

    /// <summary>Null where nothing runs on the directory.</summary>
    public static UpConnection? Find(string dataDirectory)
    {
        var file = Path.Combine(dataDirectory, FileName);
        return File.Exists(file) && DataDirectory.IsHeld(dataDirectory)
            ? JsonSerializer.Deserialize<UpConnection>(File.ReadAllText(file), JsonSerializerOptions.Web)
            : null;
    }
}
