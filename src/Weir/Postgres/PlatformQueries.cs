using System.Text.Json;
using Npgsql;
using Weir.Configuration;

namespace Weir.Postgres;

/// <summary>
/// What only the operator may say, and all organizations are decided by. With the owner's connection, opened for each statement: no login
/// that serves requests may say it.
/// </summary>
internal sealed class PlatformQueries(string ownerUrl)
{
    private const string Set = "select weir.set_setting($1, $2)";
    private const string AddAdmin = "select weir.add_platform_admin($1)";

    /// <summary>The part of the configuration that SQL decides by: whose unknown people become users, which models may be chosen, how many
    /// denials are written one by one.</summary>
    public async Task TellAsync(WeirConfig config, CancellationToken ct)
    {
        // Without published keys nobody unknown comes in; an issuer that was told before stays, as its people do.
        if (config.Auth is { JwksUrl: not null, Issuer: { } issuer })
        {
            await SetAsync("identity_issuers", new[] { issuer }, ct);
        }

        await SetAsync("models", config.Models.Providers.ToDictionary(p => p.Key, p => p.Value.Models.Keys), ct);
        await SetAsync("equal_denials", config.Maintenance.EqualDenials, ct);
    }

    /// <summary>Whether chat turns may use tools anywhere: at every replica from the next call on.</summary>
    public Task SwitchChatToolsAsync(bool on, CancellationToken ct) => SetAsync("chat_tools", on, ct);

    /// <exception cref="Errors.WeirException">WR004: there is no such user.</exception>
    public Task AddAdminAsync(Guid userId, CancellationToken ct) => ExecuteAsync(AddAdmin, [Sql.Uuid(userId)], ct);

    private Task SetAsync<T>(string name, T value, CancellationToken ct) => ExecuteAsync(Set, [Sql.Text(name), Sql.Jsonb(JsonSerializer.Serialize(value))], ct);

    private async Task ExecuteAsync(string sql, NpgsqlParameter[] parameters, CancellationToken ct)
    {
        await using var owner = NpgsqlDataSource.Create(DatabaseUrl.Parse(ownerUrl).ConnectionString);
        await owner.ExecuteAsync(sql, parameters, ct);
    }
}
