using Npgsql;
using Weir.Configuration;
using Weir.Postgres;

namespace Weir.Chat;

/// <summary>Whether chat turns may use tools anywhere. With the owner's connection: what a request can switch is its organization's.</summary>
internal sealed class PlatformSwitch(string ownerUrl)
{
    private const string Set = "select weir.set_setting('chat_tools', $1)";

    /// <summary>Holds at every replica from the next call on.</summary>
    public async Task SetAsync(bool on, CancellationToken ct)
    {
        await using var owner = NpgsqlDataSource.Create(DatabaseUrl.Parse(ownerUrl).ConnectionString);
        await owner.ExecuteAsync(Set, [Sql.Jsonb(on ? "true" : "false")], ct);
    }
}
